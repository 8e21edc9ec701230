// A loop over libpcap that only counts: the floor for receivers. count INTERFACE SECONDS
#include <pcap.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned long packets;
static pcap_t *capture;

static void take(u_char *user, const struct pcap_pkthdr *header, const u_char *data) {
    (void)user, (void)header, (void)data;
    packets++;
}

static void stop(int signal) {
    (void)signal;
    pcap_breakloop(capture);
}

int main(int count, char **words) {
    char error[PCAP_ERRBUF_SIZE];
    if (count != 3) return fprintf(stderr, "count INTERFACE SECONDS\n"), 2;
    capture = pcap_create(words[1], error);
    if (!capture) return fprintf(stderr, "%s\n", error), 1;
    // As dgawatch has it by default.
    pcap_set_snaplen(capture, 65535);
    pcap_set_promisc(capture, 1);
    pcap_set_timeout(capture, 20);
    pcap_set_buffer_size(capture, 128 << 20);
    if (pcap_activate(capture) < 0) return fprintf(stderr, "%s\n", pcap_geterr(capture)), 1;
    signal(SIGALRM, stop);
    alarm((unsigned)atoi(words[2]));
    pcap_loop(capture, -1, take, NULL);
    struct pcap_stat lost = {0};
    pcap_stats(capture, &lost);
    printf("read %lu lost %u\n", packets, lost.ps_drop);
    return 0;
}
