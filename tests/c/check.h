/* What the C tests share: a check that says where it failed, and goes on. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <string.h>

#include "twinguard.h"

static int check_failures;

/* Notes a failure unless the condition holds. */
#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                              \
      check_failures++;                                                                            \
    }                                                                                              \
  } while (0)

/* Notes a failure unless the call gives the status. */
#define CHECK_STATUS(wanted, call)                                                                 \
  do {                                                                                             \
    twinguard_status check_status = (call);                                                        \
    if (check_status != (wanted)) {                                                                \
      fprintf(stderr, "%s:%d: %s: %s, not %s\n", __FILE__, __LINE__, #call,                        \
              twinguard_status_name(check_status).ptr, #wanted);                                   \
      check_failures++;                                                                            \
    }                                                                                              \
  } while (0)

/* Whether text from the library is this; also that it is NUL-ended where it says it ends. */
static inline int text_is(twinguard_str text, const char *wanted) {
  return text.ptr != NULL && text.len == strlen(wanted) && strcmp(text.ptr, wanted) == 0;
}

/* The exit status of a test. */
static inline int check_result(const char *name) {
  if (check_failures > 0) {
    fprintf(stderr, "%s: %d checks failed\n", name, check_failures);
    return 1;
  }
  printf("%s: all checks passed\n", name);
  return 0;
}

/* A module that does not exist, at an address where nobody listens. The key is test data. */
#define NOWHERE                                                                                    \
  "HostName=localhost:9;DeviceId=device;ModuleId=module;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhM"\
  "UFRYXGBkaGxwdHh8="

#endif
