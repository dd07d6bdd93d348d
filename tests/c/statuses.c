/* Prints what the library says about every number from -1000 to 10 that it knows. */
#include <stdio.h>

#include "twinguard.h"

int main(void) {
  for (int32_t status = -1000; status <= 10; status++) {
    const char *name = twinguard_status_name(status).ptr;
    if (strcmp(name, "UNKNOWN") == 0) {
      continue;
    }
    const char *retryable = twinguard_status_is_retryable(status) ? "true" : "false";
    printf("%d %s %s %s\n", (int)status, name, retryable, twinguard_status_text(status).ptr);
  }
  return 0;
}
