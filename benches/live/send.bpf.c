// Writes one packet after the other into a frame and sends it; see send.c.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct packet {
    __u32 length;
    __u8 data[252];
};

struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} interfaces SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 65536);
    __type(key, __u32);
    __type(value, struct packet);
} packets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} next SEC(".maps");

SEC("xdp")
int write_packet(struct xdp_md *frame) {
    __u32 zero = 0;
    __u64 *number = bpf_map_lookup_elem(&next, &zero);
    if (!number) return XDP_DROP;
    __u32 place = (*number)++ & 65535;
    struct packet *packet = bpf_map_lookup_elem(&packets, &place);
    if (!packet) return XDP_DROP;
    __u32 length = packet->length;
    if (length < 14 || length > 252) return XDP_DROP;
    if (bpf_xdp_adjust_tail(frame, (int)length - (int)bpf_xdp_get_buff_len(frame))) return XDP_DROP;
    if (bpf_xdp_store_bytes(frame, 0, packet->data, length)) return XDP_DROP;
    return bpf_redirect_map(&interfaces, 0, 0);
}

char permission[] SEC("license") = "GPL";
