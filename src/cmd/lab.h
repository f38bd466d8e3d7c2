// The map of the small Internet (lab/small-internet/hosts.conf): hosts, addresses, zones, mail domains, people. Pure data:
// small_internet.h builds nodes from it.
#pragma once
#include "base/address.h"
#include "base/buf.h"
#include "base/embedded.h"
#include "rt/config.h"

enum { LAB_HOSTS_MAX = 64, LAB_ADDRESSES_MAX = 16, LAB_ZONES_MAX = 8, LAB_PEOPLE_MAX = 8, LAB_BYTES_MAX = 4 << 20 };

typedef struct { str name, file; } lab_zone;

typedef struct {
    str      name;
    addr     real[LAB_ADDRESSES_MAX];        // as in the course
    addr     here[LAB_ADDRESSES_MAX];        // as in this run: the same, or loopback addresses
    int      address_count;
    lab_zone zones[LAB_ZONES_MAX];
    int      zone_count;
    str      people[LAB_PEOPLE_MAX];         // accounts' local parts
    int      people_count;
    str      mail_domain;                    // empty: no mail
    str      comment;
    bool     resolver, upper, tracker, swarm, seeds;      // seeds: its swarm has the course's torrent from the start
} lab_host;

typedef struct {
    lab_host hosts[LAB_HOSTS_MAX];
    int      count;
} lab;

extern const embedded_file lab_files[];      // hosts.conf and the zones

// Reads the map. Addresses of this run are the course's own, or 127.0.subnet.n when subnet >= 0. False: *error (a mistake of ours).
bool lab_read(lab *out, int subnet, arena *a, config_error *error);
const lab_host *lab_find(const lab *l, str name);
// A zone file's text with the hosts' addresses of this run; empty when there is no such file.
str  lab_zone_text(const lab *l, str zone_file, arena *a);
