#include "wire/media/mpd.h"

#include "test.h"
#include "wire/media/media_data.h"
#include "wire/media/segment_url.h"

static bool same_renditions(const media_rendition *x, const media_rendition *y, bool on_demand)
{
    bool same = str_eq(x->id, y->id) && x->kind == y->kind && str_eq(x->mime_type, y->mime_type) && str_eq(x->codecs, y->codecs)
                && x->width == y->width && x->height == y->height && x->frames_number == y->frames_number && x->frames_in == y->frames_in
                && x->sampling_hz == y->sampling_hz && x->channels == y->channels && str_eq(x->language, y->language)
                && x->tiles_across == y->tiles_across && x->tiles_down == y->tiles_down;
    if (on_demand && x->kind != MEDIA_IMAGES)
        return same && str_eq(x->whole, y->whole) && x->initialization_bytes == y->initialization_bytes && x->index_bytes == y->index_bytes;
    same = same && str_eq(x->media, y->media) && str_eq(x->initialization, y->initialization) && x->timescale == y->timescale
           && x->first_number == y->first_number && x->segment_count == y->segment_count;
    for (int i = 0; same && i < x->segment_count; i++)
        same = x->segments[i].start == y->segments[i].start && x->segments[i].duration == y->segments[i].duration;
    return same;
}

TEST(an_mpd_says_what_it_was_written_from)
{
    static const mpd_shape shapes[] = {MPD_TIMELINE, MPD_DURATION, MPD_ON_DEMAND};
    for (int s = 0; s < 3; s++) {
        arena a = arena_make(4 << 20);
        media_presentation *p = data_presentation(&a);
        media_base bases[] = {{S("east"), S("http://east.kingcdn.com/sea&land/")}, {S("west"), S("http://west.kingcdn.com/x/")}};
        p->bases = bases;
        p->base_count = 2;
        p->steering_url = S("http://steering.kingcdn.com/v1?film=sea");
        p->steering_default = S("east");
        p->steering_before_start = true;
        buf out = buf_make(MPD_BYTES_MAX), again = buf_make(MPD_BYTES_MAX);
        const char *why = NULL;
        CHECK(mpd_write(p, shapes[s], &out));
        media_presentation *q = mpd_read(buf_str(&out), &a, &why);
        CHECK(q != NULL);
        if (!q)
            continue;
        CHECK_STR(q->title, p->title);
        CHECK_INT(q->duration_ms, 10000);
        CHECK_INT(q->segment_ms_max, 4000);
        CHECK_INT(q->buffer_ms_min, 4000);
        CHECK_INT(q->base_count, 2);
        CHECK_STR(q->bases[0].url, bases[0].url);
        CHECK_STR(q->bases[1].location, S("west"));
        CHECK_STR(q->steering_url, p->steering_url);
        CHECK_STR(q->steering_default, S("east"));
        CHECK(q->steering_before_start);
        CHECK_INT(q->rendition_count, DATA_RENDITIONS);
        for (int i = 0; i < DATA_RENDITIONS && i < q->rendition_count; i++)
            CHECK_ROW(i, same_renditions(&p->renditions[i], &q->renditions[i], shapes[s] == MPD_ON_DEMAND));
        CHECK_INT(q->renditions[0].peak_bps, media_bandwidth_bps(&p->renditions[0], 4000));
        buf_free(&out);
        buf_free(&again);
        arena_free(&a);
    }
}

TEST(an_mpd_claims_alignment_only_where_it_is)
{
    arena a = arena_make(4 << 20);
    media_presentation *p = data_presentation(&a);
    buf out = buf_make(MPD_BYTES_MAX);
    p->rendition_count = 3;
    CHECK(mpd_write(p, MPD_TIMELINE, &out));
    CHECK(str_find_str(buf_str(&out), S("segmentAlignment=\"true\"")) > 0);
    CHECK(str_find_str(buf_str(&out), S("<S t=\"0\" d=\"51200\" r=\"1\"/>")) > 0);
    buf_clear(&out);
    p->renditions[1].segments[1].start += 1280;          // a tenth of a second late
    CHECK(mpd_write(p, MPD_TIMELINE, &out));
    CHECK(str_find_str(buf_str(&out), S("segmentAlignment")) < 0);
    buf_clear(&out);
    CHECK(mpd_write(p, MPD_DURATION, &out));             // not equally long any more: a timeline for that one alone
    CHECK(str_find_str(buf_str(&out), S("duration=\"51200\"")) > 0);
    CHECK(str_find_str(buf_str(&out), S("t=\"52480\"")) > 0);
    p->renditions[0].whole = (str){0};
    CHECK(!mpd_write(p, MPD_ON_DEMAND, &out));
    buf_free(&out);
    arena_free(&a);
}

#define HEAD "<MPD xmlns='urn:mpeg:dash:schema:mpd:2011' mediaPresentationDuration='PT6.5S' minBufferTime='PT2S'>"
#define VIDEO "mimeType='video/mp4' codecs='avc1.64001f'"

// What packagers write: shaka packager's and ffmpeg's documents, cut to what matters.
static const struct { str text; int segments; str first, third, start; uint64_t third_ms; } mpds[] = {
    {S(HEAD "<Period><AdaptationSet " VIDEO " frameRate='10/1'><Representation id='0' bandwidth='20000' width='64' height='36'>"
       "<SegmentTemplate timescale='10240' initialization='init-stream$RepresentationID$.m4s' media='chunk-stream$RepresentationID$-$Number%05d$.m4s'"
       " startNumber='1'><SegmentTimeline><S t='0' d='20480' r='2' /></SegmentTimeline></SegmentTemplate></Representation></AdaptationSet></Period></MPD>"),
     3, S("chunk-stream0-00001.m4s"), S("chunk-stream0-00003.m4s"), S("init-stream0.m4s"), 4000},
    {S(HEAD "<BaseURL>http://a/x/</BaseURL><Period><BaseURL>p/</BaseURL><AdaptationSet><SegmentTemplate timescale='1000' duration='2000' media='$Time$.m4s'"
       " initialization='/i.mp4'/><Representation id='7' bandwidth='1' " VIDEO "><BaseURL>r/</BaseURL></Representation></AdaptationSet></Period></MPD>"),
     4, S("p/r/0.m4s"), S("p/r/4000.m4s"), S("/i.mp4"), 4000},
    {S(HEAD "<Period><AdaptationSet " VIDEO "><SegmentTemplate media='$Bandwidth$/$Number$$$.m4s' initialization='i' startNumber='0' duration='3'/>"
       "<Representation id='7' bandwidth='99'/></AdaptationSet></Period></MPD>"),
     3, S("99/0$.m4s"), S("99/2$.m4s"), S("i"), 6000},
    {S(HEAD "<Period><AdaptationSet " VIDEO "><Representation id='0' bandwidth='1'><SegmentTemplate timescale='10' media='$Number$' initialization='i'>"
       "<SegmentTimeline><S t='5' d='20' r='-1'/></SegmentTimeline></SegmentTemplate></Representation></AdaptationSet></Period></MPD>"),
     3, S("1"), S("3"), S("i"), 4500},
    {S(HEAD "<Period><AdaptationSet " VIDEO "><Representation id='0' bandwidth='1'><SegmentTemplate timescale='10' media='$Number$' initialization='i'"
       " presentationTimeOffset='100'><SegmentTimeline><S t='100' d='20' r='1'/><S t='150' d='15'/></SegmentTimeline></SegmentTemplate>"
       "</Representation></AdaptationSet></Period></MPD>"),
     3, S("1"), S("3"), S("i"), 5000},
    {S(HEAD "<Period><AdaptationSet " VIDEO "><Representation id='0' bandwidth='4752'><SegmentList timescale='1000000' duration='1000000' startNumber='1'>"
       "<Initialization sourceURL='init-stream0.m4s' /><SegmentURL media='c1.m4s' /><SegmentURL media='c2.m4s' /><SegmentURL media='c3.m4s' />"
       "</SegmentList></Representation></AdaptationSet></Period></MPD>"),
     3, S("c1.m4s"), S("c3.m4s"), S("init-stream0.m4s"), 2000},
};

TEST(mpds_of_other_packagers_are_read)
{
    for (size_t i = 0; i < sizeof mpds / sizeof *mpds; i++) {
        arena a = arena_make(4 << 20);
        const char *why = "";
        media_presentation *p = mpd_read(mpds[i].text, &a, &why);
        CHECK_ROW(i, p && p->rendition_count == 1);
        if (p && p->rendition_count == 1) {
            const media_rendition *r = &p->renditions[0];
            CHECK_INT(r->segment_count, mpds[i].segments);
            CHECK_STR(media_segment_request(r, 0, &a).url, mpds[i].first);
            CHECK_STR(media_segment_request(r, 2, &a).url, mpds[i].third);
            CHECK_STR(media_initialization_request(r, &a).url, mpds[i].start);
            CHECK_INT(media_segment_start_ms(r, 2), mpds[i].third_ms);
        } else {
            printf("# row %zu: %s\n", i, why);
        }
        arena_free(&a);
    }
}

TEST(one_file_a_rendition_is_read)
{
    static const str by_list = S(HEAD "<Period><AdaptationSet " VIDEO "><Representation id='0' bandwidth='4752'><BaseURL>one.mp4</BaseURL>"
        "<SegmentList timescale='1000' duration='1000'><Initialization range='0-845'/><SegmentURL mediaRange='846-2871' indexRange='846-897'/>"
        "<SegmentURL mediaRange='2872-4596'/></SegmentList></Representation></AdaptationSet></Period></MPD>");
    static const str by_index = S(HEAD "<Period><AdaptationSet contentType='video'><Representation id='0' bandwidth='4752' " VIDEO ">"
        "<BaseURL>one.mp4</BaseURL><SegmentBase indexRange='846-897' timescale='10240'><Initialization range='0-845'/></SegmentBase>"
        "</Representation></AdaptationSet></Period></MPD>");
    arena a = arena_make(4 << 20);
    const char *why = "";
    media_presentation *p = mpd_read(by_list, &a, &why), *q = mpd_read(by_index, &a, &why);
    CHECK(p && q);
    if (p && q) {
        media_request second = media_segment_request(&p->renditions[0], 1, &a), start = media_initialization_request(&p->renditions[0], &a);
        CHECK_STR(second.url, S("one.mp4"));
        CHECK(second.offset == 2872 && second.bytes == 1725 && start.bytes == 846);
        media_request index = media_index_request(&q->renditions[0], &a);
        CHECK_STR(index.url, S("one.mp4"));
        CHECK(index.offset == 846 && index.bytes == 52 && q->renditions[0].segment_count == 0);
    }
    arena_free(&a);
}

TEST(mpds_that_cannot_be_played_are_refused_with_a_reason)
{
    static const str rows[] = {
        S(""), S("not XML"), S("<MPD/>"), S("<HTML><Period/></HTML>"),
        S("<!DOCTYPE x [<!ENTITY a \"b\">]>" HEAD "<Period/></MPD>"),
        S("<MPD type='dynamic'><Period/></MPD>"), S("<MPD><Period/><Period/></MPD>"), S(HEAD "<Period/></MPD>"),
        S(HEAD "<Period><AdaptationSet " VIDEO "><Representation id='1'/></AdaptationSet></Period></MPD>"),
        S(HEAD "<Period><AdaptationSet " VIDEO "><Representation id='1'><SegmentTemplate media='x' duration='0'/></Representation></AdaptationSet></Period></MPD>"),
        S(HEAD "<Period><AdaptationSet " VIDEO "><Representation id='1'><SegmentTemplate media='x' timescale='0' duration='1'/></Representation></AdaptationSet></Period></MPD>"),
        S(HEAD "<Period><AdaptationSet " VIDEO "><Representation id='1'><SegmentTemplate media='x' timescale='4000000000' duration='1'/></Representation></AdaptationSet></Period></MPD>"),
        S(HEAD "<Period><AdaptationSet " VIDEO "><Representation id='1'><SegmentTemplate media='x'><SegmentTimeline><S d='1' r='4000000'/></SegmentTimeline></SegmentTemplate></Representation></AdaptationSet></Period></MPD>"),
        S(HEAD "<Period><AdaptationSet " VIDEO "><Representation id='1'><SegmentBase indexRange='9-3'/><BaseURL>x</BaseURL></Representation></AdaptationSet></Period></MPD>"),
        S(HEAD "<Period><AdaptationSet " VIDEO "><ContentProtection/><Representation id='1'><SegmentTemplate media='x' duration='1'/></Representation></AdaptationSet></Period></MPD>"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(4 << 20);
        const char *why = NULL;
        CHECK_ROW(i, mpd_read(rows[i], &a, &why) == NULL && why != NULL);
        arena_free(&a);
    }
}
