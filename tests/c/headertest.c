/* The header is complete by itself, may come twice, and its macros work in C. */
#include "twinguard.h"
#include "twinguard.h"

#if !TWINGUARD_VERSION_AT_LEAST(0, 1, 0) || TWINGUARD_VERSION_AT_LEAST(255, 0, 0)
#error "TWINGUARD_VERSION_AT_LEAST"
#endif

static const int32_t numbers[] = {TWINGUARD_OK, TWINGUARD_ERR_TIMEOUT, TWINGUARD_EVENT_DESIRED,
                                  TWINGUARD_STATE_RUNNING, TWINGUARD_PRIORITY_HIGH};

size_t headertest(void);

size_t headertest(void) {
  twinguard_str text = TWINGUARD_STR("literal");
  return text.len + twinguard_str_c("pointer").len + sizeof numbers;
}
