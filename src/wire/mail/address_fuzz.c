// What the envelope's parser takes can be written, reads back the same, and holds nothing that could end a line.
#include "base/must.h"
#include "wire/mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena a = arena_make(1 << 22);
    str in = str_of(data, size);
    address got, again;
    address_verdict v = address_path_read(&in, &a, &got);
    if (v == ADDRESS_OK || v == ADDRESS_NO_DOMAIN) {
        str text = address_text(&a, got);
        must(text.len > 0 && str_find(text, '\r') < 0 && str_find(text, '\n') < 0 && str_find(text, 0) < 0);
        must(got.local.len <= ADDRESS_LOCAL_MAX && got.domain.len <= ADDRESS_DOMAIN_MAX);
        must(address_read(text, &a, &again) == v);
        must(str_eq(got.local, again.local) && str_eq(got.domain, again.domain));
    }
    static header_address list[ADDRESS_LIST_MAX];
    int n = address_list_read(str_of(data, size), &a, list, ADDRESS_LIST_MAX, NULL);
    must(n >= 0 && n <= ADDRESS_LIST_MAX);
    for (int i = 0; i < n; i++)
        must(list[i].address.local.len > 0 && address_domain_valid(list[i].address.domain));
    arena_free(&a);
    return 0;
}
