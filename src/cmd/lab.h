// The map of the small Internet (lab/small-internet/hosts.conf): hosts, addresses, zones, mail domains, people; and further maps that
// add hosts to it, or something to hosts of it (enter-deep.conf: a CDN's nodes). Pure data: small_internet.h builds nodes from it.
#pragma once
#include "base/address.h"
#include "base/buf.h"
#include "base/embedded.h"
#include "rt/config.h"

enum { LAB_HOSTS_MAX = 64, LAB_ADDRESSES_MAX = 16, LAB_ZONES_MAX = 8, LAB_PEOPLE_MAX = 8, LAB_BESIDE_MAX = 8, LAB_CDNS_MAX = 4, LAB_BYTES_MAX = 4 << 20 };

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
    // of a CDN
    str      place, region;                  // where it stands, empty: it is not said
    str      edge;                           // the CDN whose node it is; empty: none
    str      line;                           // what its line carries, as a rate; empty: it is not said
    str      network;                        // the network around it, where addresses are the course's own
    str      beside[LAB_BESIDE_MAX];         // hosts in whose network the node stands
    int      beside_count;
    str      steering;                       // "node" or "cdn": what its steering service lets players choose between; empty: none
    str      steered;                        // a name of its zones that steering answers for
    str      cdns[LAB_CDNS_MAX];             // those that may
    int      cdn_count;
    bool     origin;                         // the films are there
    bool     page, console;                  // a page with the film's URL; registration, search and the account of viewings
} lab_host;

typedef struct {
    lab_host hosts[LAB_HOSTS_MAX];
    int      count;
} lab;

extern const embedded_file lab_files[];      // hosts.conf and the zones

// Reads the map, and a further one (`more`: "enter-deep"; empty: none). Addresses of this run are the course's own, or 127.0.subnet.n
// when subnet >= 0. False: *error (no such map, or a mistake of ours).
bool lab_read(lab *out, str more, int subnet, arena *a, config_error *error);
const lab_host *lab_find(const lab *l, str name);
// A zone file's text with the hosts' addresses of this run; empty when there is no such file.
str  lab_zone_text(const lab *l, str zone_file, arena *a);
