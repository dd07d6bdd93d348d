/*
 * A guest that leaves the house as it was: signal handlers, threads, descriptors, environment.
 *
 *   polite_guest LIBRARY     loads it, works with it, frees, unloads
 */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { SIGNALS = 65, DESCRIPTORS = 1024 };

extern char **environ;

/* All that a guest could change. */
typedef struct {
  struct sigaction actions[SIGNALS];
  sigset_t mask;
  int threads;
  char descriptors[DESCRIPTORS];
  char directory[4096], locale[256];
  mode_t umask;
  unsigned long environment;
} house;

static int count(const char *path) {
  int entries = 0;
  DIR *directory = opendir(path);
  CHECK(directory != NULL);
  for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
    entries += entry->d_name[0] != '.';
  }
  if (directory != NULL) {
    closedir(directory);
  }
  return entries;
}

static void look(house *seen) {
  memset(seen, 0, sizeof *seen);
  for (int signal = 1; signal < SIGNALS; signal++) {
    sigaction(signal, NULL, &seen->actions[signal]);
  }
  sigprocmask(SIG_SETMASK, NULL, &seen->mask);
  seen->threads = count("/proc/self/task");
  for (int descriptor = 0; descriptor < DESCRIPTORS; descriptor++) {
    seen->descriptors[descriptor] = fcntl(descriptor, F_GETFD) != -1;
  }
  CHECK(getcwd(seen->directory, sizeof seen->directory) != NULL);
  strncpy(seen->locale, setlocale(LC_ALL, NULL), sizeof seen->locale - 1);
  seen->umask = umask(0);
  umask(seen->umask);
  for (char **variable = environ; *variable != NULL; variable++) {
    for (const char *at = *variable; *at != '\0'; at++) {
      seen->environment = seen->environment * 31 + (unsigned char)*at;
    }
  }
}

static void compare_signals(const house *before, const house *now) {
  for (int signal = 1; signal < SIGNALS; signal++) {
    CHECK(before->actions[signal].sa_handler == now->actions[signal].sa_handler);
    CHECK(before->actions[signal].sa_flags == now->actions[signal].sa_flags);
    CHECK(sigismember(&before->mask, signal) == sigismember(&now->mask, signal));
  }
}

static void compare_rest(const house *before, const house *now) {
  CHECK(strcmp(before->directory, now->directory) == 0);
  CHECK(strcmp(before->locale, now->locale) == 0);
  CHECK(before->umask == now->umask);
  CHECK(before->environment == now->environment);
}

/* ISO C has no cast from a data pointer to a function pointer. */
static void find(void *library, const char *name, void *function) {
  void *symbol = dlsym(library, name);
  CHECK(symbol != NULL);
  memcpy(function, &symbol, sizeof symbol);
}

typedef twinguard_status options_new(twinguard_str, twinguard_options **, twinguard_error **);
typedef twinguard_status client_new(twinguard_options **, twinguard_client **, twinguard_error **);
typedef twinguard_status client_connect(const twinguard_client *, twinguard_error **);
typedef twinguard_status client_next(const twinguard_client *, uint32_t, twinguard_event **,
                                     twinguard_error **);
typedef twinguard_status event_trouble(const twinguard_event *);
typedef twinguard_status client_close(const twinguard_client *, uint32_t, twinguard_error **);
typedef void client_free(twinguard_client *);
typedef void event_free(twinguard_event *);

/* One connection attempt to where nobody listens, looked at from the middle. */
static void work(void *library, const house *before) {
  options_new *new_options;
  client_new *new_client;
  client_connect *connect;
  client_next *next;
  event_trouble *trouble;
  client_close *close_client;
  client_free *free_client;
  event_free *free_event;
  twinguard_options *options = NULL;
  twinguard_client *client = NULL;
  static house during;
  find(library, "twinguard_options_new", &new_options);
  find(library, "twinguard_client_new", &new_client);
  find(library, "twinguard_client_connect", &connect);
  find(library, "twinguard_client_next_event", &next);
  find(library, "twinguard_event_trouble", &trouble);
  find(library, "twinguard_client_close", &close_client);
  find(library, "twinguard_client_free", &free_client);
  find(library, "twinguard_event_free", &free_event);

  CHECK(new_options(TWINGUARD_STR(NOWHERE), &options, NULL) == TWINGUARD_OK);
  CHECK(new_client(&options, &client, NULL) == TWINGUARD_OK);
  CHECK(count("/proc/self/task") == before->threads); /* none before connect */
  CHECK(connect(client, NULL) == TWINGUARD_OK);
  int seen = 0;
  for (int i = 0; i < 30 && !seen; i++) {
    twinguard_event *event = NULL;
    CHECK(next(client, 1000, &event, NULL) == TWINGUARD_OK);
    seen = trouble(event) != TWINGUARD_OK;
    free_event(event);
  }
  CHECK(seen);
  look(&during);
  compare_signals(before, &during);
  compare_rest(before, &during);
  CHECK(during.threads <= before->threads + 2);
  for (int descriptor = 0; descriptor < DESCRIPTORS; descriptor++) {
    int flags = fcntl(descriptor, F_GETFD);
    CHECK(flags == -1 || before->descriptors[descriptor] || (flags & FD_CLOEXEC) != 0);
  }
  CHECK(close_client(client, 5000, NULL) == TWINGUARD_OK);
  free_client(client);
}

int main(int argc, char **argv) {
  static house before, after;
  if (argc != 2) {
    fprintf(stderr, "usage: polite_guest LIBRARY\n");
    return 2;
  }
  look(&before);
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 2;
  }
  look(&after);
  compare_signals(&before, &after);
  CHECK(after.threads == before.threads);
  work(library, &before);
  /* A thread that has ended may still be listed for a moment. */
  for (int i = 0; i < 500 && count("/proc/self/task") != before.threads; i++) {
    struct timespec moment = {0, 10 * 1000 * 1000};
    nanosleep(&moment, NULL);
  }
  look(&after);
  compare_signals(&before, &after);
  compare_rest(&before, &after);
  CHECK(after.threads == before.threads);
  CHECK(memcmp(after.descriptors, before.descriptors, sizeof after.descriptors) == 0);
  CHECK(dlclose(library) == 0);
  look(&after);
  compare_signals(&before, &after);
  compare_rest(&before, &after);
  CHECK(after.threads == before.threads);
  CHECK(memcmp(after.descriptors, before.descriptors, sizeof after.descriptors) == 0);
  return check_result("polite_guest");
}
