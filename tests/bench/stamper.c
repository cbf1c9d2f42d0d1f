/*
 * The worker of the bench: says when it came to life, then waits for ever.
 *
 *   stamper FILE [SLOT [EXIT_CODE]]
 *
 * Appends one record of 16 bytes (slot, pid, CLOCK_MONOTONIC in ns at main) by one write, so that the
 * measured time ends where the worker's own code begins, whoever started it. Where SLOT is not a number
 * (there is none in a template, and a "#!" line gives its own file's name) it is what stands behind the
 * last '-' of CREWD_INSTANCE, else of the working directory. With EXIT_CODE it ends at once.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct record {
    uint32_t slot;
    uint32_t pid;
    uint64_t ns;
};

static uint32_t slot_of(int argc, char **argv)
{
    if (argc > 2 && argv[2][0] >= '0' && argv[2][0] <= '9')
        return (uint32_t)atoi(argv[2]);
    char folder[4096];
    const char *name = getenv("CREWD_INSTANCE");
    if (!name)
        name = getcwd(folder, sizeof folder);
    const char *dash = name ? strrchr(name, '-') : NULL;
    return dash ? (uint32_t)atoi(dash + 1) : 0;
}

int main(int argc, char **argv)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (argc < 2)
        return 64;
    struct record record = {
        .slot = slot_of(argc, argv),
        .pid = (uint32_t)getpid(),
        .ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
    };
    int file = open(argv[1], O_WRONLY | O_APPEND | O_CLOEXEC);
    if (file < 0 || write(file, &record, sizeof record) != (ssize_t)sizeof record)
        return 74;
    close(file);
    if (argc > 3)
        return atoi(argv[3]);
    for (;;)
        pause();
}
