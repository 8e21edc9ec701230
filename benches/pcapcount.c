/* The floor: libpcap hands over every packet of a file, and nothing is done but counting them. */
#include <pcap.h>
#include <stdio.h>

static unsigned long packets;

static void count(unsigned char *user, const struct pcap_pkthdr *header, const unsigned char *data)
{
	(void)user, (void)header, (void)data;
	packets++;
}

int main(int argc, char **argv)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *file = pcap_open_offline(argc > 1 ? argv[1] : "-", why);

	if (!file) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	pcap_loop(file, -1, count, NULL);
	printf("%lu packets\n", packets);
	return 0;
}
