/*
 * Broken on purpose: proves that the tools which watch the other programs see something.
 *
 *   broken overflow     writes past the end of a block
 *   broken leak         forgets an object of the library
 */
#include <stdlib.h>

#include "check.h"

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "overflow") == 0) {
    size_t size = twinguard_version_string().len;
    volatile char *block = malloc(size);
    if (block != NULL) {
      block[size] = 'x';
    }
    free((void *)block);
  }
  if (argc > 1 && strcmp(argv[1], "leak") == 0) {
    twinguard_buf *forgotten = NULL;
    CHECK_STATUS(TWINGUARD_OK, twinguard_duration_format(1000, &forgotten, NULL));
    forgotten = NULL;
    (void)forgotten;
  }
  return check_result("broken");
}
