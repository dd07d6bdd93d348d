/*
 * Header and library agree on the version.
 *
 *   version 0.1.0     the argument is the version of the manifest
 */
#include "check.h"

int main(int argc, char **argv) {
  unsigned major = 0, minor = 0, patch = 0;
  CHECK(argc == 2 && sscanf(argv[1], "%u.%u.%u", &major, &minor, &patch) == 3);
  CHECK(major == TWINGUARD_VERSION_MAJOR);
  CHECK(minor == TWINGUARD_VERSION_MINOR);
  CHECK(patch == TWINGUARD_VERSION_PATCH);
  CHECK(argc == 2 && strcmp(TWINGUARD_VERSION_STRING, argv[1]) == 0);
  CHECK(TWINGUARD_VERSION_NUMBER == (major << 16 | minor << 8 | patch));
  CHECK(twinguard_version_number() == TWINGUARD_VERSION_NUMBER);
  CHECK(text_is(twinguard_version_string(), TWINGUARD_VERSION_STRING));
  CHECK(TWINGUARD_VERSION_AT_LEAST(TWINGUARD_VERSION_MAJOR, TWINGUARD_VERSION_MINOR,
                                   TWINGUARD_VERSION_PATCH));
  CHECK(!TWINGUARD_VERSION_AT_LEAST(TWINGUARD_VERSION_MAJOR, TWINGUARD_VERSION_MINOR,
                                    TWINGUARD_VERSION_PATCH + 1));
  CHECK(!TWINGUARD_VERSION_AT_LEAST(TWINGUARD_VERSION_MAJOR, TWINGUARD_VERSION_MINOR + 1, 0));
  CHECK(!TWINGUARD_VERSION_AT_LEAST(TWINGUARD_VERSION_MAJOR + 1, 0, 0));
  return check_result("version");
}
