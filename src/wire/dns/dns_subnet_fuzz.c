// A client subnet that is read is written as it came; its text, without the scope, names the same network.
#include "base/must.h"
#include "wire/dns/subnet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char out[DNS_SUBNET_BYTES_MAX];
    arena a = arena_make(1 << 16);
    dns_subnet s, again;
    if (dns_subnet_read(str_of(data, size), &s)) {
        writer w = wr_into(out, sizeof out);
        dns_subnet_write(&w, &s);
        must(str_eq(wr_str(&w), str_of(data, size)) && dns_subnet_bytes(&s) == size);
        s.scope = 0;
        must(dns_subnet_from_text(dns_subnet_text(&a, &s), &again) && dns_subnet_same(&s, &again));
    }
    (void)dns_subnet_from_text(str_of(data, size), &s);
    arena_free(&a);
    return 0;
}
