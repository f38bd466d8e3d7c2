#include "talk/control.h"
#include "rt/story.h"
__attribute__((weak)) void control_add(room *r, const control_route *routes, int count){(void)r;(void)routes;(void)count;}
__attribute__((weak)) err control_open(node *n){(void)n;return E_OK;}
__attribute__((weak)) void http_answer(http_reply *r, int status, str t, str b){(void)r;(void)status;(void)t;(void)b;}
__attribute__((weak)) void story_ladder(const story_event *e, int n, int c, bool colour, buf *out){(void)c;(void)colour; for(int i=0;i<n;i++) buf_format(out,"%s %s %d %.*s\n",e[i].here,e[i].protocol,e[i].direction,e[i].len,e[i].line);}
