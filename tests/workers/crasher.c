/*
 * A worker that says that it lives, lives for a moment, and ends somehow.
 *
 *   crasher STAMPS SEED [MOST_MS]
 *
 * Appends to STAMPS, each by one write: "start TOKEN PID BOOTTIME"; "doubled TOKEN PID BOOTTIME" where an older process
 * of the same instance still lives (the kernel knows: each holds the lock on STAMPS.INSTANCE for as long as it lives);
 * "child TOKEN PID BOOTTIME" for a grandchild left behind in its process group. How long it lives, how it ends, and
 * whether it leaves a grandchild follow from SEED and the sequence number in the token.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const char *token;

static void stamp(const char *file, const char *word)
{
    struct timespec now;
    char line[256];
    clock_gettime(CLOCK_BOOTTIME, &now);
    int size = snprintf(line, sizeof line, "%s %s %d %lld.%06ld\n", word, token, (int)getpid(), (long long)now.tv_sec,
                        now.tv_nsec / 1000);
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, line, (size_t)size) != size)
        _exit(74);
    close(fd);
}

static void claim(const char *file)
{
    char path[4096];
    const char *name = getenv("SUPERVISOR_PROCESS_NAME");
    snprintf(path, sizeof path, "%s.%s", file, name ? name : "nobody");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644); /* stays open; a grandchild does not inherit the lock */
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fd < 0 || fcntl(fd, F_SETLK, &whole) != 0)
        stamp(file, "doubled");
}

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void leave_grandchild(const char *file)
{
    if (fork() != 0)
        return;
    signal(SIGTERM, SIG_IGN);
    stamp(file, "child");
    sleep(60);
    _exit(0);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 64;
    token = getenv("CREWD_SPAWN");
    if (!token)
        token = "-";
    stamp(argv[1], "start");
    claim(argv[1]);
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    const char *dot = strrchr(token, '.');
    uint32_t state = (uint32_t)atoi(argv[2]) * 2654435761u ^ (dot ? (uint32_t)atoi(dot + 1) : 0u) * 40503u;
    uint32_t most = argc > 3 ? (uint32_t)atoi(argv[3]) : 300u;
    if (next(&state) % 10 == 0)
        leave_grandchild(argv[1]);
    if (next(&state) % 8 == 0)
        signal(SIGTERM, SIG_IGN);
    uint32_t ms = next(&state) % 4 == 0 ? next(&state) % 3 : next(&state) % (most + 1);
    struct timespec life = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&life, NULL);
    static const int signals[] = {SIGKILL, SIGSEGV, SIGABRT, SIGBUS};
    static const int codes[] = {0, 1, 3, 127};
    uint32_t way = next(&state) % 8;
    if (way < 4)
        raise(signals[way]);
    _exit(codes[way % 4]);
}
