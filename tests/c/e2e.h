/* What the end-to-end scenarios share: the talk with the harness, a module with everything its
   events have said, and what the process holds. A POSIX program includes it first. */
#ifndef E2E_H
#define E2E_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "json.h"

/* Patience with the hub and with other threads; nothing here is meant to take this long. */
enum { PATIENCE_MS = 60000 };

/* What the program was started with. */
typedef struct {
  const char *connection_string, *ca, *store;
} arguments;

/* A module and everything its events have said. */
typedef struct {
  twinguard_client *client;
  twinguard_buf *view;      /* the desired document, made from the patches in events alone */
  char changes[64][256];    /* every change told, as "hub /a: 1 -> 2" */
  size_t changed;           /* how many those are */
  size_t states[TWINGUARD_STATE_CLOSED + 1]; /* how often each was told */
  twinguard_status trouble; /* of the last event that told of one */
  uint64_t acknowledged;    /* the newest generation that the hub has taken */
} module;

/* The key of the connection string, which nothing may show. */
static const char *secret;

/* Ends the program: what follows would make no sense. */
static inline void give_up(const char *what) {
  fprintf(stderr, "e2e: %s\n", what);
  exit(1);
}

/* Goes on only when the call succeeds; the call has `&error` as its last argument. */
#define MUST(call)                                                                                 \
  do {                                                                                             \
    twinguard_error *error = NULL;                                                                 \
    if ((call) != TWINGUARD_OK) {                                                                  \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #call);                                   \
      give_up(twinguard_error_message(error).ptr);                                                 \
    }                                                                                              \
  } while (0)

static inline uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Tells the harness how far things are. */
static inline void say(const char *line) {
  puts(line);
  fflush(stdout);
}

/* Waits for a line of the harness. */
static inline void hear_line(char *line, int size) {
  if (fgets(line, size, stdin) == NULL) {
    give_up("the harness is gone");
  }
  line[strcspn(line, "\n")] = '\0';
}

/* Waits for the harness to say this. */
static inline void hear(const char *wanted) {
  char line[64];
  hear_line(line, sizeof line);
  if (strcmp(line, wanted) != 0) {
    fprintf(stderr, "e2e: heard \"%s\", not \"%s\"\n", line, wanted);
    exit(1);
  }
}

static inline int holds(twinguard_str text, const char *part) {
  size_t length = strlen(part);
  for (size_t i = 0; i + length <= text.len; i++) {
    if (memcmp(text.ptr + i, part, length) == 0) {
      return 1;
    }
  }
  return 0;
}

/* Whether text of the library shows the key or a token. */
static inline int shows_secret(twinguard_str text) {
  return holds(text, secret) || holds(text, "SharedAccessSignature");
}

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static size_t log_records, log_secrets;

/* Looks for secrets in every record; runs on any thread. */
static inline void log_witness(int32_t level, twinguard_str target, twinguard_str name,
                               twinguard_str message, void *user_data) {
  (void)level, (void)target, (void)name, (void)user_data;
  pthread_mutex_lock(&log_lock);
  log_records++;
  log_secrets += (size_t)shows_secret(message);
  pthread_mutex_unlock(&log_lock);
}

/* Settings as every scenario wants them; a scenario may add to them. */
static inline twinguard_options *settings(const arguments *given) {
  twinguard_options *options = NULL;
  char *pem = json_file(given->ca);
  MUST(twinguard_options_new(twinguard_str_c(given->connection_string), &options, &error));
  MUST(twinguard_options_set_roots_pem(options, twinguard_str_c(pem), TWINGUARD_ROOTS_REPLACE,
                                       &error));
  MUST(twinguard_options_set_backoff_max_ms(options, 1000, &error));
  MUST(twinguard_options_set_log_sink(options, TWINGUARD_LOG_TRACE, log_witness, NULL, NULL,
                                      &error));
  if (given->store != NULL) {
    MUST(twinguard_options_set_store_directory(options, twinguard_str_c(given->store), &error));
  }
  free(pem);
  return options;
}

/* A module that is not asked to connect yet. */
static inline void make(module *self, twinguard_options *options) {
  memset(self, 0, sizeof *self);
  MUST(twinguard_merge_patch(TWINGUARD_STR("{}"), TWINGUARD_STR("{}"), &self->view, &error));
  MUST(twinguard_client_new(&options, &self->client, &error));
}

/* A module on its way to the hub. */
static inline void start(module *self, twinguard_options *options) {
  make(self, options);
  MUST(twinguard_client_connect(self->client, &error));
}

static inline void note_change(module *self, const twinguard_event *event, size_t index) {
  twinguard_str before = twinguard_event_change_old(event, index);
  twinguard_str now = twinguard_event_change_new(event, index);
  if (self->changed == sizeof self->changes / sizeof *self->changes) {
    give_up("more changes than any scenario makes");
  }
  snprintf(self->changes[self->changed++], sizeof *self->changes, "%s %s: %s -> %s",
           twinguard_event_is_stored(event) ? "stored" : "hub",
           twinguard_event_change_pointer(event, index).ptr,
           before.ptr == NULL ? "none" : before.ptr, now.ptr == NULL ? "deleted" : now.ptr);
}

static inline void note_desired(module *self, const twinguard_event *event) {
  twinguard_buf *merged = NULL;
  for (size_t i = 0; i < twinguard_event_change_count(event); i++) {
    note_change(self, event, i);
  }
  MUST(twinguard_merge_patch(twinguard_buf_text(self->view), twinguard_event_patch(event), &merged,
                             &error));
  twinguard_buf_free(self->view);
  self->view = merged;
}

static inline void note(module *self, const twinguard_event *event) {
  int32_t state = twinguard_event_state(event);
  CHECK(!shows_secret(twinguard_event_message(event)));
  if (state >= 0 && state <= TWINGUARD_STATE_CLOSED) {
    self->states[state]++;
  }
  if (twinguard_event_trouble(event) != TWINGUARD_OK) {
    self->trouble = twinguard_event_trouble(event);
  }
  if (twinguard_event_is_acknowledged(event)) {
    self->acknowledged = twinguard_event_reported_generation(event);
  }
  if (twinguard_event_kind(event) == TWINGUARD_EVENT_DESIRED) {
    note_desired(self, event);
  }
}

/* Takes one event; gives up when none comes in time. */
static inline void take(module *self, uint64_t deadline, const char *what) {
  twinguard_event *event = NULL;
  uint64_t now = now_ms();
  uint32_t left = now < deadline ? (uint32_t)(deadline - now) : 0;
  MUST(twinguard_client_next_event(self->client, left, &event, &error));
  if (event == NULL) {
    fprintf(stderr, "e2e: not told in time: %s; state %s, last trouble %s; changes:\n", what,
            twinguard_state_name(twinguard_client_state(self->client)).ptr,
            twinguard_status_name(self->trouble).ptr);
    for (size_t i = 0; i < self->changed; i++) {
      fprintf(stderr, "  %s\n", self->changes[i]);
    }
    exit(1);
  }
  note(self, event);
  twinguard_event_free(event);
}

/* How many changes told begin like this. */
static inline size_t told(const module *self, const char *beginning) {
  size_t count = 0;
  for (size_t i = 0; i < self->changed; i++) {
    count += strncmp(self->changes[i], beginning, strlen(beginning)) == 0;
  }
  return count;
}

/* Takes events until a change is told that begins like this. */
static inline void until_told(module *self, const char *beginning) {
  uint64_t deadline = now_ms() + PATIENCE_MS;
  while (told(self, beginning) == 0) {
    take(self, deadline, beginning);
  }
}

/* Takes events until a state was told so often. */
static inline void until_state(module *self, int32_t state, size_t times) {
  uint64_t deadline = now_ms() + PATIENCE_MS;
  while (self->states[state] < times) {
    take(self, deadline, twinguard_state_name(state).ptr);
  }
}

/* Takes events until the hub has taken a reported document. */
static inline void until_acknowledged(module *self, uint64_t generation) {
  uint64_t deadline = now_ms() + PATIENCE_MS;
  while (self->acknowledged < generation) {
    take(self, deadline, "a reported document taken");
  }
}

/* Takes events until one tells of trouble. */
static inline void until_trouble(module *self) {
  uint64_t deadline = now_ms() + PATIENCE_MS;
  while (self->trouble == TWINGUARD_OK) {
    take(self, deadline, "trouble");
  }
}

/* Whether the document that the events add up to is this one. */
static inline int view_is(const module *self, const char *wanted) {
  json *mine = json_read(twinguard_buf_text(self->view).ptr), *other = json_read(wanted);
  int same = json_equal(mine, other);
  json_free(mine);
  json_free(other);
  return same;
}

/* Frees a module that is closed. */
static inline void discard(module *self) {
  twinguard_buf_free(self->view);
  twinguard_client_free(self->client);
}

/* Closes and frees a module whose hub is well. */
static inline void finish(module *self) {
  MUST(twinguard_client_close(self->client, PATIENCE_MS, &error));
  discard(self);
}

/* What the process holds, as the kernel counts it. */
static inline size_t entries(const char *folder) {
  size_t count = 0;
  DIR *directory = opendir(folder);
  if (directory == NULL) {
    give_up(folder);
  }
  for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
    count += entry->d_name[0] != '.';
  }
  closedir(directory);
  return count;
}

static inline size_t descriptors(void) { return entries("/proc/self/fd"); }

static inline size_t threads(void) { return entries("/proc/self/task"); }

/* Memory in use, in KiB. */
static inline long resident_kib(void) {
  long kib = -1;
  char line[256];
  FILE *status = fopen("/proc/self/status", "r");
  while (status != NULL && kib < 0 && fgets(line, sizeof line, status) != NULL) {
    if (sscanf(line, "VmRSS: %ld kB", &kib) != 1) {
      kib = -1;
    }
  }
  if (kib < 0) {
    give_up("no VmRSS in /proc/self/status");
  }
  fclose(status);
  return kib;
}

/* Waits until the process has no more than this; the end of a thread is no event to wait for. */
static inline void until_at_most(size_t (*count)(void), size_t most) {
  const struct timespec moment = {0, 10000000};
  uint64_t deadline = now_ms() + PATIENCE_MS;
  while (count() > most) {
    if (now_ms() > deadline) {
      give_up("descriptors or threads are left behind");
    }
    nanosleep(&moment, NULL);
  }
}

#endif
