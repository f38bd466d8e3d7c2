#include "rt/room_doors.h"

#include "rt/worker.h"

// ---- where --------------------------------------------------------------------------------------------------------------------

int room_addresses(const room *r, bool only_here, uint16_t port, addr *out, int max)
{
    int count = 0, own_count;
    const addr *own = world_addresses(r->world, &own_count);
    const statement *listen = config_first(r->settings, "listen");
    for (const statement *l = listen; l; l = config_next(l, "listen"))
        for (int i = 1; i < l->word_count && count < max; i++)
            count += addr_parse(l->words[i], port, &out[count]);
    for (int i = 0; !listen && i < own_count && count < max; i++)
        out[count++] = addr_with_port(own[i], port);
    if (listen || count > 0)
        return count;
    out[count++] = addr_v4(only_here ? 0x7f000001 : 0, port);
    if (!only_here)
        out[count++] = (addr){.family = 6, .port = port};
    return count;
}

bool room_has_no_ipv6(addr at, err e) { return at.family == 6 && addr_is_any(at) && (e == E_UNSUPPORTED || e == E_UNREACHABLE); }

// ---- the certificate ------------------------------------------------------------------------------------------------------------

typedef struct { world *w; char *path; arena *a; str text; err e; } pem_file;

static void pem_read(void *arg)
{
    pem_file *f = arg;
    f->e = file_read_all(f->w, f->path, f->a, ROOM_PEM_BYTES_MAX, &f->text);
}

static bool pem(room *r, const statement *settings, const char *key, arena *a, str *text, str *why)
{
    pem_file f = {.w = r->world, .a = a, .path = str_to_z(a, config_text(settings, r->kind->settings, key))};
    work(pem_read, &f);
    *text = f.text;
    if (f.e != E_OK)
        *why = str_format(r->memory, "%s: cannot read %s \"%s\": %s; check the path and its permissions", r->kind->name, key, f.path,
                          err_text(f.e));
    return f.e == E_OK;
}

static bool pair(room *r, const statement *settings, arena *a, certificate *out, str *why)
{
    return pem(r, settings, "certificate", a, &out->cert_pem, why) && pem(r, settings, "key", a, &out->key_pem, why);
}

err room_tls(room *r, const char *service, const char *const *alpn, tls_config **out, str *why)
{
    certificate c;
    *out = NULL;
    if (!config_text(r->settings, r->kind->settings, "certificate").len)
        return E_OK;
    arena a = arena_make(4 * ROOM_PEM_BYTES_MAX);
    if (pair(r, r->settings, &a, &c, why))
        *out = tls_server_new(r->world, service, c.cert_pem, c.key_pem, alpn, r->memory, why);
    arena_free(&a);
    return *out ? E_OK : E_TLS;
}

err room_tls_renew(room *r, const statement *settings, tls_config *const *all, int count, bool only_try, str *why)
{
    certificate c;
    int used = 0;
    for (int i = 0; i < count; i++)
        used += all[i] != NULL;
    if (!used)
        return E_OK;
    arena a = arena_make(4 * ROOM_PEM_BYTES_MAX);
    bool good = pair(r, settings, &a, &c, why);
    if (good && only_try) {
        tls_config *t = tls_server_new(r->world, r->kind->name, c.cert_pem, c.key_pem, NULL, r->memory, why);
        good = t != NULL;
        tls_free(t);
    }
    for (int i = 0; i < count && good && !only_try; i++)
        good = !all[i] || tls_server_renew(r->world, all[i], c.cert_pem, c.key_pem, r->memory, why);
    arena_free(&a);
    return good ? E_OK : E_TLS;
}
