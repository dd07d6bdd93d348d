/*
 * A security module: follows its configuration in the twin and says what changed.
 *
 *   TWINGUARD_CONNECTION_STRING='HostName=...;DeviceId=...;ModuleId=azureiotsecurity;...'
 *       security_module [--connection-string TEXT] [--ca FILE] [--store DIR] [--json-lines]
 *                       [--until-eof]
 *
 * Ends with SIGTERM or Ctrl-C, or with --until-eof at the end of its input. It waits in a poll loop
 * of its own: the library gives it one descriptor, and never calls it.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "twinguard.h"

typedef struct {
  const char *connection_string, *ca, *store;
  bool json_lines, until_eof;
} settings;

/* What the program has in hand while it follows the twin. */
typedef struct {
  twinguard_client *client;
  const twinguard_configuration *before; /* the last one told: of `first` or of `last` */
  twinguard_configuration *first;
  twinguard_event *last;
  bool json_lines;
} follower;

static int wake_pipe[2] = {-1, -1};

static void on_signal(int number) {
  (void)number;
  int before = errno;
  ssize_t written = write(wake_pipe[1], "", 1);
  (void)written;
  errno = before;
}

/* Prints why a call failed and ends the program. */
static void fail(twinguard_error *error) {
  twinguard_str cause = twinguard_error_cause(error);
  fprintf(stderr, "%s: %s%s%s\n", twinguard_status_name(twinguard_error_status(error)).ptr,
          twinguard_error_message(error).ptr, cause.len > 0 ? ": " : "",
          cause.len > 0 ? cause.ptr : "");
  twinguard_error_free(error);
  exit(1);
}

static void fail_at(const char *what) {
  perror(what);
  exit(1);
}

static void usage(void) {
  fprintf(stderr, "usage: security_module [--connection-string TEXT] [--ca FILE] [--store DIR]\n"
                  "                       [--json-lines] [--until-eof]\n"
                  "The connection string may stand in TWINGUARD_CONNECTION_STRING instead.\n");
  exit(2);
}

static settings parse(int argc, char **argv) {
  settings chosen = {getenv("TWINGUARD_CONNECTION_STRING"), NULL, NULL, false, false};
  for (int i = 1; i < argc; i++) {
    const char **value = strcmp(argv[i], "--connection-string") == 0 ? &chosen.connection_string
                         : strcmp(argv[i], "--ca") == 0              ? &chosen.ca
                         : strcmp(argv[i], "--store") == 0           ? &chosen.store
                                                                     : NULL;
    if (value != NULL && i + 1 < argc) {
      *value = argv[++i];
    } else if (strcmp(argv[i], "--json-lines") == 0) {
      chosen.json_lines = true;
    } else if (strcmp(argv[i], "--until-eof") == 0) {
      chosen.until_eof = true;
    } else {
      usage();
    }
  }
  if (chosen.connection_string == NULL) {
    usage();
  }
  return chosen;
}

static void add_roots(twinguard_options *options, const char *path) {
  static char pem[1 << 20];
  twinguard_error *error = NULL;
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    fail_at(path);
  }
  twinguard_str text = {pem, fread(pem, 1, sizeof pem, file)};
  fclose(file);
  if (twinguard_options_set_roots_pem(options, text, TWINGUARD_ROOTS_ADD, &error) != TWINGUARD_OK) {
    fail(error);
  }
}

static twinguard_client *make_client(const settings *chosen) {
  twinguard_str report = TWINGUARD_STR(
      "{\"agent\":{\"program\":\"security_module.c\",\"version\":\"" TWINGUARD_VERSION_STRING "\"}}");
  twinguard_options *options = NULL;
  twinguard_client *client = NULL;
  twinguard_error *error = NULL;
  twinguard_str text = twinguard_str_c(chosen->connection_string);
  if (twinguard_options_new(text, &options, &error) != TWINGUARD_OK) {
    fail(error);
  }
  if (chosen->ca != NULL) {
    add_roots(options, chosen->ca);
  }
  if (chosen->store != NULL &&
      twinguard_options_set_store_directory(options, twinguard_str_c(chosen->store), &error) !=
          TWINGUARD_OK) {
    fail(error);
  }
  /* Beside the configuration in force, which the library reports by itself. */
  if (twinguard_options_set_report_status(options, true, &error) != TWINGUARD_OK ||
      twinguard_client_new(&options, &client, &error) != TWINGUARD_OK ||
      twinguard_client_set_reported(client, report, NULL, &error) != TWINGUARD_OK) {
    fail(error);
  }
  return client;
}

/* Prints text as a JSON string. */
static void print_json(twinguard_str text) {
  putchar('"');
  for (size_t i = 0; i < text.len; i++) {
    unsigned char byte = (unsigned char)text.ptr[i];
    if (byte == '"' || byte == '\\') {
      printf("\\%c", byte);
    } else if (byte < 0x20) {
      printf("\\u%04x", byte);
    } else {
      putchar(byte);
    }
  }
  putchar('"');
}

static void show_state(const follower *self, const twinguard_event *event) {
  const char *name = twinguard_state_name(twinguard_event_state(event)).ptr;
  if (self->json_lines) {
    printf("{\"event\":\"state\",\"state\":\"%s\"}\n", name);
    return;
  }
  twinguard_str why = twinguard_event_message(event);
  printf("state          %s%s%s\n", name, why.len > 0 ? ": " : "", why.len > 0 ? why.ptr : "");
}

static void show_change(const follower *self, const twinguard_event *event, size_t i) {
  twinguard_str pointer = twinguard_event_change_pointer(event, i);
  twinguard_str before = twinguard_event_change_old(event, i);
  twinguard_str now = twinguard_event_change_new(event, i);
  const char *old = before.ptr == NULL ? "null" : before.ptr;
  if (!self->json_lines) {
    printf("               %s: %s -> %s\n", pointer.ptr, before.ptr == NULL ? "(none)" : old,
           now.ptr == NULL ? "deleted" : now.ptr);
    return;
  }
  printf("%s{\"pointer\":", i > 0 ? "," : "");
  print_json(pointer);
  if (now.ptr == NULL) {
    printf(",\"old\":%s,\"deleted\":true}", old);
  } else {
    printf(",\"old\":%s,\"new\":%s}", old, now.ptr);
  }
}

static void show_desired(const follower *self, const twinguard_event *event) {
  uint64_t version = 0;
  bool known = twinguard_event_desired_version(event, &version);
  char number[32] = "null";
  if (known) {
    snprintf(number, sizeof number, "%llu", (unsigned long long)version);
  }
  printf(self->json_lines ? "{\"event\":\"desired\",\"version\":%s,\"changes\":["
                          : "desired        version %s\n",
         number);
  for (size_t i = 0; i < twinguard_event_change_count(event); i++) {
    show_change(self, event, i);
  }
  printf("%s", self->json_lines ? "]}\n" : "");
}

/* The settings that another value is now in force for. */
static void show_settings(const follower *self, const twinguard_configuration *now) {
  const char *comma = "";
  for (size_t i = 0; i < twinguard_configuration_count(now); i++) {
    twinguard_str key = twinguard_configuration_key(now, i);
    twinguard_str old = twinguard_configuration_setting_json(self->before, key);
    twinguard_str new = twinguard_configuration_setting_json(now, key);
    if (old.ptr != NULL && strcmp(old.ptr, new.ptr) == 0) {
      continue;
    }
    const char *format = self->json_lines ? "%s\"%s\":[%s,%s]" : "%s               %s: %s -> %s\n";
    printf(format, comma, key.ptr, old.ptr == NULL ? "null" : old.ptr, new.ptr);
    comma = self->json_lines ? "," : "";
  }
}

static void show_refused(const follower *self, const twinguard_configuration *now) {
  for (size_t i = 0; i < twinguard_configuration_refused_count(now); i++) {
    twinguard_str pointer = twinguard_configuration_refused_pointer(now, i);
    twinguard_str message = twinguard_configuration_refused_message(now, i);
    if (!self->json_lines) {
      printf("               refused at %s: %s\n", pointer.ptr, message.ptr);
      continue;
    }
    printf("%s{\"key\":", i > 0 ? "," : "");
    print_json(twinguard_configuration_refused_key(now, i));
    printf(",\"pointer\":");
    print_json(pointer);
    printf(",\"message\":");
    print_json(message);
    printf("}");
  }
}

static void show_configuration(const follower *self, const twinguard_event *event) {
  const twinguard_configuration *now = twinguard_event_configuration(event);
  const char *state = twinguard_configuration_is_success(now) ? "success" : "failed";
  printf(self->json_lines ? "{\"event\":\"configuration\",\"state\":\"%s\",\"changed\":{"
                          : "configuration  %s\n",
         state);
  show_settings(self, now);
  printf("%s", self->json_lines ? "},\"refused\":[" : "");
  show_refused(self, now);
  printf("%s", self->json_lines ? "]}\n" : "");
}

static void show_reported(const follower *self, const twinguard_event *event) {
  uint64_t version = 0;
  unsigned long long generation = twinguard_event_reported_generation(event);
  if (!twinguard_event_is_acknowledged(event)) {
    fprintf(stderr, "reported       refused: %s\n", twinguard_event_message(event).ptr);
    return;
  }
  char number[32] = "null";
  if (twinguard_event_reported_version(event, &version)) {
    snprintf(number, sizeof number, "%llu", (unsigned long long)version);
  }
  if (self->json_lines) {
    printf("{\"event\":\"reported\",\"version\":%s,\"generation\":%llu}\n", number, generation);
  } else {
    printf("reported       version %s\n", number);
  }
}

static void show_trouble(const follower *self, const twinguard_event *event) {
  twinguard_str message = twinguard_event_message(event);
  if (!self->json_lines) {
    printf("trouble        %s\n", message.ptr);
    return;
  }
  printf("{\"event\":\"trouble\",\"kind\":\"%s\",\"message\":",
         twinguard_status_name(twinguard_event_trouble(event)).ptr);
  print_json(message);
  printf("}\n");
}

/* Shows an event and frees it, or keeps it for the configuration it holds. */
static void take(follower *self, twinguard_event *event) {
  switch (twinguard_event_kind(event)) {
  case TWINGUARD_EVENT_STATE:
    show_state(self, event);
    break;
  case TWINGUARD_EVENT_DESIRED:
    show_desired(self, event);
    break;
  case TWINGUARD_EVENT_CONFIGURATION:
    show_configuration(self, event);
    self->before = twinguard_event_configuration(event);
    twinguard_event_free(self->last);
    self->last = event;
    return;
  case TWINGUARD_EVENT_REPORTED:
    show_reported(self, event);
    break;
  case TWINGUARD_EVENT_TROUBLE:
    show_trouble(self, event);
    break;
  default: /* a later version may tell more */
    break;
  }
  twinguard_event_free(event);
}

/* Takes the events that wait; false once the client is closed and all were taken. */
static bool take_all(follower *self) {
  twinguard_event *event = NULL;
  twinguard_error *error = NULL;
  for (;;) {
    twinguard_status status = twinguard_client_next_event(self->client, 0, &event, &error);
    if (status == TWINGUARD_ERR_CLOSED) {
      twinguard_error_free(error);
      return false;
    }
    if (status != TWINGUARD_OK) {
      fail(error);
    }
    if (event == NULL) {
      return true;
    }
    take(self, event);
  }
}

/* Whether the input has ended; what comes before its end is not read for anything. */
static bool input_ended(void) {
  char ignored[4096];
  ssize_t got = read(STDIN_FILENO, ignored, sizeof ignored);
  return got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN);
}

static void follow(follower *self, bool until_eof) {
  struct pollfd watched[] = {{twinguard_client_event_fd(self->client), POLLIN, 0},
                             {wake_pipe[0], POLLIN, 0},
                             {until_eof ? STDIN_FILENO : -1, POLLIN, 0}};
  while (take_all(self)) {
    if (poll(watched, 3, -1) < 0) {
      if (errno == EINTR) {
        continue;
      }
      fail_at("poll");
    }
    if (watched[1].revents != 0 || (watched[2].revents != 0 && input_ended())) {
      twinguard_error *error = NULL;
      if (twinguard_client_close(self->client, 5000, &error) != TWINGUARD_OK) {
        fail(error);
      }
      watched[1].fd = watched[2].fd = -1; /* what is left to do is to take the last events */
    }
  }
}

static void catch_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  if (pipe(wake_pipe) != 0 || fcntl(wake_pipe[1], F_SETFL, O_NONBLOCK) != 0 ||
      sigaction(SIGTERM, &action, NULL) != 0 || sigaction(SIGINT, &action, NULL) != 0) {
    fail_at("signals");
  }
}

int main(int argc, char **argv) {
  settings chosen = parse(argc, argv);
  follower self = {NULL, NULL, NULL, NULL, chosen.json_lines};
  twinguard_error *error = NULL;
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  catch_signals();
  self.client = make_client(&chosen);
  /* What is in force before the network: the stored configuration, or the defaults. */
  if (twinguard_client_configuration(self.client, &self.first, &error) != TWINGUARD_OK ||
      twinguard_client_connect(self.client, &error) != TWINGUARD_OK) {
    fail(error);
  }
  self.before = self.first;
  follow(&self, chosen.until_eof);
  printf(chosen.json_lines ? "{\"event\":\"closed\"}\n" : "closed\n");
  twinguard_event_free(self.last);
  twinguard_configuration_free(self.first);
  twinguard_client_free(self.client);
  return 0;
}
