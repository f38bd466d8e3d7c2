// How much of a stream the kernel keeps: world.h's sock_queue_short. In a file of its own: <linux/tcp.h> knows the whole of what
// TCP_INFO answers, and does not go together with <netinet/tcp.h>.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "rt/linux.h"

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif

enum {
    QUEUE_BYTES_MAX = 1 << 20,               // a path that holds more is left to the kernel's own judgement,
    LINE_PACKET_BYTES_MAX = 16 * 1024,       // and so is one with packets that no line carries: it stays in this machine
    WRITE_PACKETS = 3,                       // at once: the ceiling is looked at between writes
};

// Bytes on the way when the path is full and nothing queues: the smallest round trip seen x what was delivered lately.
static uint64_t path_bytes(const struct tcp_info *info)
{
    if (info->tcpi_min_rtt == UINT32_MAX)
        return 0;
    uint64_t rate = info->tcpi_delivery_rate < UINT32_MAX ? info->tcpi_delivery_rate : UINT32_MAX;
    return rate * info->tcpi_min_rtt / 1000000;          // microseconds
}

// The kernel looks at its ceiling before each write and then takes the whole: small writes keep to it. It counts its own
// bookkeeping, too: half as much again.
int queue_short_set(int fd, int least)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    int unlocked = 0;
    bool known = least && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0;
    uint64_t bytes = known ? (uint64_t)least + 2 * path_bytes(&info) : 0;
    // A queue shorter than two packets would wait for an acknowledgement that the receiver delays.
    if (bytes == 0 || bytes > QUEUE_BYTES_MAX || info.tcpi_snd_mss > LINE_PACKET_BYTES_MAX) {
        setsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &unlocked, sizeof unlocked);
        return 0;
    }
    int half = (int)(bytes * 3 / 4);                     // the kernel doubles what it is told
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof half);
    return WRITE_PACKETS * (int)info.tcpi_snd_mss;
}
