// What the small Internet's further maps add: a CDN's nodes (edge), its storage (origin), and who is sent where (steering).
#pragma once
#include "cmd/small_internet.h"

// The services of a CDN that the map gives this host. False: *why.
bool small_cdn_add(small_internet *n, small_host *h, str *why);
// What a name server of a steered name is told.
void small_cdn_names(const small_host *h, buf *settings);
// What a resolver is told: the CDN's name servers may know where clients are (RFC 7871).
void small_cdn_subnets(const small_internet *n, buf *settings);
// "n1.kingcdn.com:2080" where a browser outside would need the port, else the name alone.
str  small_cdn_site(const small_internet *n, str host, uint16_t port, arena *a);
// The film's URL as the notes have it, with the port of this run: http://video.netcinema.com/6Y7B23V. must: the map has an origin.
str  small_cdn_film_url(const small_internet *n, arena *a);
// The map's one steering host; NULL: it has none (one giant server).
small_host *small_cdn_steering(small_internet *n);
