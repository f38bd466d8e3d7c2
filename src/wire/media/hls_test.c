#include "wire/media/hls.h"

#include "test.h"
#include "wire/media/media_data.h"
#include "wire/media/segment_url.h"

TEST(a_multivariant_playlist_is_written_and_read)
{
    arena a = arena_make(4 << 20);
    media_presentation *p = data_presentation(&a);
    buf out = buf_make(HLS_BYTES_MAX);
    const char *why = "";
    CHECK(hls_master_write(p, &out));
    str text = buf_str(&out);
    CHECK(str_find_str(text, S("#EXT-X-STREAM-INF:BANDWIDTH=856000,AVERAGE-BANDWIDTH=513600,CODECS=\"avc1.64000d,mp4a.40.2\",RESOLUTION=640x360,"
                               "FRAME-RATE=29.970,AUDIO=\"audio\"\nv300/playlist.m3u8\n")) > 0);
    media_presentation *q = hls_read(text, &a, &why);
    CHECK(q && q->rendition_count == 5);
    for (int i = 0; q && i < q->rendition_count; i++) {
        const media_rendition *r = &q->renditions[i];
        CHECK_ROW(i, r->kind == (i < 2 ? MEDIA_AUDIO : MEDIA_VIDEO));
        CHECK_ROW(i, i < 2 ? str_eq(r->codecs, S("mp4a.40.2")) && r->channels == 2 : r->width == 640 && r->frames_number == 29970);
    }
    CHECK(q && str_eq(q->renditions[4].playlist, S("v3000/playlist.m3u8")) && str_eq(q->renditions[4].codecs, S("avc1.64001f")));
    buf_free(&out);
    arena_free(&a);
}

TEST(pathways_become_bases)
{
    arena a = arena_make(4 << 20);
    media_presentation *p = data_presentation(&a);
    media_base bases[] = {{S("east"), S("http://east.kingcdn.com/sea/")}, {S("west"), S("http://west.kingcdn.com/x/sea/")}};
    p->bases = bases;
    p->base_count = 2;
    p->steering_url = S("http://s/steering");
    p->steering_default = S("east");
    buf out = buf_make(HLS_BYTES_MAX);
    const char *why = "";
    CHECK(hls_master_write(p, &out));
    media_presentation *q = hls_read(buf_str(&out), &a, &why);
    CHECK(q && q->rendition_count == 5 && q->base_count == 2);
    if (q && q->base_count == 2) {
        CHECK_STR(q->bases[0].location, S("east"));
        CHECK_STR(media_url_resolve(q->bases[0].url, q->renditions[2].playlist, &a), S("http://east.kingcdn.com/sea/v300/playlist.m3u8"));
        CHECK_STR(media_url_resolve(q->bases[1].url, q->renditions[2].playlist, &a), S("http://west.kingcdn.com/x/sea/v300/playlist.m3u8"));
        CHECK_STR(q->steering_url, S("http://s/steering"));
    }
    buf_free(&out);
    arena_free(&a);
}

TEST(media_playlists_are_written_and_read)
{
    arena a = arena_make(4 << 20);
    media_rendition *r = &data_presentation(&a)->renditions[1];
    for (int shape = HLS_FILES; shape <= HLS_BYTE_RANGES; shape++) {
        buf out = buf_make(HLS_BYTES_MAX);
        const char *why = "";
        media_rendition read = {.playlist = S("v1000/playlist.m3u8")};
        CHECK(hls_media_write(r, (hls_shape)shape, &out));
        CHECK(hls_media_read(buf_str(&out), &read, &a, &why));
        CHECK_INT(read.segment_count, 3);
        for (int i = 0; i < 3 && i < read.segment_count; i++) {
            media_request x = media_segment_request(&read, i, &a);
            CHECK_INT(media_segment_start_ms(&read, i), media_segment_start_ms(r, i));
            CHECK_INT(media_segment_end_ms(&read, i), media_segment_end_ms(r, i));
            if (shape == HLS_FILES)
                CHECK(str_eq(x.url, media_segment_request(r, i, &a).url) && x.bytes == 0);
            else
                CHECK(str_eq(x.url, r->whole) && x.offset == r->segments[i].offset && x.bytes == r->segments[i].bytes);
        }
        media_request start = media_initialization_request(&read, &a);
        CHECK_STR(start.url, shape == HLS_FILES ? S("v1000/init.mp4") : S("v1000/whole.mp4"));
        CHECK_INT(start.bytes, shape == HLS_FILES ? 0 : 800);
        buf_free(&out);
    }
    arena_free(&a);
}

TEST(playlists_of_images_stand_beside_their_pictures)
{
    arena a = arena_make(4 << 20);
    buf out = buf_make(HLS_BYTES_MAX);
    CHECK(hls_media_write(&data_presentation(&a)->renditions[5], HLS_FILES, &out));
    CHECK(str_find_str(buf_str(&out), S("#EXT-X-TILES:RESOLUTION=160x90,LAYOUT=10x10,DURATION=0.100\n../tiles-1.jpg\n")) > 0);
    buf_free(&out);
    arena_free(&a);
}

TEST(playlists_of_other_packagers_are_read)
{
    arena a = arena_make(4 << 20);
    const char *why = "";
    media_presentation *p = hls_read(S("#EXTM3U\r\n#EXT-X-VERSION:7\r\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"g\",NAME=\"a, 1\",DEFAULT=YES,URI=\"p1.m3u8\"\r\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=10827,RESOLUTION=64x36,AUDIO=\"g\"\r\np0.m3u8\r\n\r\n#EXT-X-STREAM-INF:BANDWIDTH=5600,CODECS=\"mp4a.40.2\",AUDIO=\"g\"\r\n"
        "p1.m3u8\r\n"), &a, &why);
    CHECK(p && p->rendition_count == 2 && p->renditions[0].kind == MEDIA_AUDIO && p->renditions[0].peak_bps == 5600);
    p = hls_read(S("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF:1.5,title\np00.m4s\n# comment\n#EXTINF:1,\np01.m4s\n#EXT-X-ENDLIST"), &a, &why);
    CHECK(p && p->rendition_count == 1 && p->renditions[0].segment_count == 2 && p->duration_ms == 2500);
    arena_free(&a);
}

TEST(playlists_that_cannot_be_played_are_refused)
{
    static const char *const rows[] = {
        "", "#EXTM3U", "#EXTM3U\n#EXTINF:1,\na\n", "#EXTM3U\n#EXTINF:x,\na\n#EXT-X-ENDLIST", "#EXTM3U\n#EXTINF:0,\na\n#EXT-X-ENDLIST",
        "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:1,\na\n#EXT-X-ENDLIST", "#EXTM3U\n#EXTINF:1,\na\nb\n#EXT-X-ENDLIST",
        "#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:0\na\n#EXT-X-ENDLIST", "#EXTM3U\n#EXTINF:99999999999,\na\n#EXT-X-ENDLIST",
        "#EXTM3U\n#EXT-X-MAP:URI=\"a\"\n#EXT-X-MAP:URI=\"b\"\n#EXTINF:1,\na\n#EXT-X-ENDLIST",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(1 << 20);
        const char *why = NULL;
        CHECK_ROW(i, hls_read(str_z(rows[i]), &a, &why) == NULL && why);
        arena_free(&a);
    }
}
