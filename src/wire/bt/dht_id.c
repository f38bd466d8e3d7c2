// Node ids (BEP 42): the first 21 bits are a checksum of the address and of three bits of the id's last byte.
#include <string.h>

#include "base/crc32c.h"
#include "wire/bt/dht.h"

static uint32_t id_checksum(addr at, unsigned r)
{
    static const unsigned char mask4[] = {0x03, 0x0f, 0x3f, 0xff};
    static const unsigned char mask6[] = {0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff};
    unsigned char ip[8];
    int bytes = at.family == 6 ? 8 : 4;
    for (int i = 0; i < bytes; i++)
        ip[i] = at.ip[i] & (at.family == 6 ? mask6[i] : mask4[i]);
    ip[0] |= (unsigned char)(r << 5);
    return crc32c(0, str_of(ip, (size_t)bytes));
}

// Addresses that mean nothing outside (RFC 1918, 3927, 4193): BEP 42 leaves them alone.
static bool is_local(addr at)
{
    static const struct { const char *text; int bits; } nets[] = {
        {"10.0.0.0", 8}, {"172.16.0.0", 12}, {"192.168.0.0", 16}, {"169.254.0.0", 16}, {"127.0.0.0", 8},
        {"fe80::", 10}, {"fc00::", 7}, {"::1", 128},
    };
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        addr net;
        if (addr_parse_ip(str_z(nets[i].text), 0, &net) && addr_in_prefix(at, net, nets[i].bits))
            return true;
    }
    return false;
}

bool dht_id_fits(const uint8_t id[DHT_ID_BYTES], addr at)
{
    uint32_t sum = id_checksum(at, id[DHT_ID_BYTES - 1] & 7);
    return is_local(at) || (id[0] == sum >> 24 && id[1] == (sum >> 16 & 0xff) && (id[2] & 0xf8) == (sum >> 8 & 0xf8));
}

void dht_id_make(uint8_t id[DHT_ID_BYTES], addr at, const uint8_t random[DHT_ID_BYTES])
{
    uint32_t sum = id_checksum(at, random[DHT_ID_BYTES - 1] & 7);
    memcpy(id, random, DHT_ID_BYTES);
    id[0] = (uint8_t)(sum >> 24);
    id[1] = (uint8_t)(sum >> 16);
    id[2] = (uint8_t)((sum >> 8 & 0xf8) | (random[2] & 7));
}

int dht_nearer(const uint8_t *target, const uint8_t *a, const uint8_t *b)
{
    for (int i = 0; i < DHT_ID_BYTES; i++)
        if (a[i] != b[i])
            return (a[i] ^ target[i]) - (b[i] ^ target[i]);
    return 0;
}
