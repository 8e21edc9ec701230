// Sends the packets of a capture over an interface faster than sockets can: a BPF program writes them into frames in the
// kernel (BPF_PROG_TEST_RUN with live frames) and redirects these to the interface. Prints "packets,packets a second".
//
//   send INTERFACE CAPTURE.pcap SECONDS RATE     RATE in packets a second, 0 for the most; needs root and send.bpf.o
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PACKETS = 65536, LONGEST = 252, BURST = 20000 };

struct packet {
    uint32_t length;
    uint8_t data[LONGEST];
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int fail(const char *what) {
    perror(what);
    return 1;
}

// Packets that are too long are left out; a short capture begins again.
static int fill(int map, FILE *capture) {
    static uint8_t data[1 << 16];
    uint32_t header[4], count = 0;
    while (count < PACKETS) {
        if (fread(header, sizeof header, 1, capture) != 1 || header[2] > sizeof data || fread(data, header[2], 1, capture) != 1) {
            if (count == 0) return 1;
            fseek(capture, 24, SEEK_SET);
            continue;
        }
        if (header[2] > LONGEST) continue;
        struct packet packet = {.length = header[2]};
        memcpy(packet.data, data, header[2]);
        bpf_map_update_elem(map, &count, &packet, BPF_ANY);
        count++;
    }
    return 0;
}

int main(int count, char **words) {
    if (count != 5) return fprintf(stderr, "send INTERFACE CAPTURE.pcap SECONDS RATE\n"), 2;
    double seconds = atof(words[3]), rate = atof(words[4]);
    struct bpf_object *object = bpf_object__open_file("send.bpf.o", NULL);
    if (!object || bpf_object__load(object)) return fail("send.bpf.o");
    int program = bpf_program__fd(bpf_object__find_program_by_name(object, "write_packet"));
    int map = bpf_object__find_map_fd_by_name(object, "interfaces");
    uint32_t place = 0, interface = if_nametoindex(words[1]);
    if (!interface || bpf_map_update_elem(map, &place, &interface, BPF_ANY)) return fail(words[1]);
    FILE *capture = fopen(words[2], "rb");
    if (!capture || fseek(capture, 24, SEEK_SET)) return fail(words[2]);
    if (fill(bpf_object__find_map_fd_by_name(object, "packets"), capture)) return fail(words[2]);

    uint8_t frame[128] = {0};
    struct xdp_md context = {.data_end = sizeof frame};
    uint64_t sent = 0;
    double start = now(), time;
    while ((time = now() - start) < seconds) {
        if (rate > 0 && (double)sent > time * rate) {
            usleep((useconds_t)(((double)sent / rate - time) * 1e6));
            continue;
        }
        LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof frame, .ctx_in = &context,
                    .ctx_size_in = sizeof context, .repeat = BURST, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
        if (bpf_prog_test_run_opts(program, &run)) return fail("running the program");
        sent += BURST;
    }
    printf("%lu,%.0f\n", sent, (double)sent / time);
    return 0;
}
