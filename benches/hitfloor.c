/* The floor of a hit: what it takes to change a word in each line of memory that a hit of one of 100,000 sources needs, all fetched
 * 32 hits ahead, and nothing else. No packet is read, no name compared, nothing weighed.
 *
 *   cc -O2 benches/hitfloor.c -o hitfloor && ./hitfloor        nanoseconds of CPU a hit, the best of five runs
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINE = 64, SOURCES = 100000, NAMES = 150000, HITS = 5000000, AHEAD = 32, TABLES = 5, MOST = 2 };

/* Lines of each: the row of a source, its names, its trace; who asks for a name; the name in its list. */
static const struct {
    const char *what;
    size_t rows, lines;
} tables[TABLES] = {
    {"row", SOURCES, 2}, {"names", SOURCES, 2}, {"trace", SOURCES, 2}, {"askers", NAMES, 1}, {"list", NAMES, 2},
};

static uint64_t state = 88172645463325252u;

static uint64_t next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static double cpu(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1e9 + now.tv_nsec;
}

int main(void) {
    char *memory[TABLES];
    for (int t = 0; t < TABLES; t++) {
        size_t octets = tables[t].rows * LINE * MOST;
        memory[t] = malloc(octets);
        if (!memory[t]) return 1;
        memset(memory[t], 1, octets);
    }
    uint32_t *hits = malloc(2 * HITS * sizeof *hits);
    if (!hits) return 1;
    for (size_t i = 0; i < HITS; i++) hits[2 * i] = next() % SOURCES, hits[2 * i + 1] = next() % NAMES;
    for (int used = 1; used <= TABLES; used++) {
        double best = 1e18;
        for (int run = 0; run < 5; run++) {
            double begun = cpu();
            for (size_t first = 0; first + AHEAD <= HITS; first += AHEAD)
                for (int fetching = 1; fetching >= 0; fetching--)
                    for (size_t i = first; i < first + AHEAD; i++)
                        for (int t = 0; t < used; t++)
                            for (size_t line = 0; line < tables[t].lines; line++) {
                                size_t row = hits[2 * i + (tables[t].rows == NAMES)];
                                char *at = memory[t] + (row * MOST + line) * LINE;
                                if (fetching)
                                    __builtin_prefetch(at);
                                else
                                    ++*(volatile uint64_t *)at;
                            }
            double took = (cpu() - begun) / HITS;
            if (took < best) best = took;
        }
        printf("%s%s: %.1f ns\n", used > 1 ? "and " : "", tables[used - 1].what, best);
    }
    return 0;
}
