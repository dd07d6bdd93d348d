/* A small JSON reader for tests: a text becomes a tree that keeps where each value stands in it. */
#ifndef JSON_H
#define JSON_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } json_type;

typedef struct json {
  json_type type;
  const char *start, *end; /* as it is written */
  char *key;               /* in an object */
  char *string;            /* of a string, decoded */
  size_t length;           /* of that, in bytes */
  double number;           /* of a number, or 1 for true */
  struct json *first;      /* child */
  struct json *next;       /* sibling */
} json;

/* A test stops at what it does not understand. */
static inline void json_fail(const char *what, const char *at) {
  fprintf(stderr, "JSON: %s at \"%.40s\"\n", what, at);
  exit(2);
}

static inline void *json_allocate(size_t size) {
  void *memory = calloc(1, size);
  if (memory == NULL) {
    json_fail("no memory", "");
  }
  return memory;
}

static inline const char *json_blank(const char *at) { return at + strspn(at, " \t\r\n"); }

static inline unsigned json_hex(const char **at) {
  char digits[5] = {0};
  memcpy(digits, *at, 4);
  if (strspn(digits, "0123456789abcdefABCDEF") != 4) {
    json_fail("four hex digits expected", *at);
  }
  *at += 4;
  return (unsigned)strtoul(digits, NULL, 16);
}

static inline char *json_utf8(char *out, unsigned code) {
  if (code < 0x80) {
    *out++ = (char)code;
  } else if (code < 0x800) {
    *out++ = (char)(0xc0 | code >> 6);
    *out++ = (char)(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    *out++ = (char)(0xe0 | code >> 12);
    *out++ = (char)(0x80 | (code >> 6 & 0x3f));
    *out++ = (char)(0x80 | (code & 0x3f));
  } else {
    *out++ = (char)(0xf0 | code >> 18);
    *out++ = (char)(0x80 | (code >> 12 & 0x3f));
    *out++ = (char)(0x80 | (code >> 6 & 0x3f));
    *out++ = (char)(0x80 | (code & 0x3f));
  }
  return out;
}

static inline char *json_text(const char **at, size_t *length) {
  static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  const char *p = *at + 1;
  size_t room = 1;
  for (const char *q = p; *q != '"' && *q != '\0'; q += *q == '\\' && q[1] != '\0' ? 2 : 1) {
    room++;
  }
  char *text = json_allocate(room), *out = text;
  while (*p != '"') {
    if ((unsigned char)*p < 0x20) {
      json_fail("string does not end", *at);
    }
    if (*p != '\\') {
      *out++ = *p++;
      continue;
    }
    p++;
    const char *letter = *p == '\0' ? NULL : strchr(letters, *p);
    if (*p == 'u') {
      p++;
      unsigned code = json_hex(&p);
      if (code >= 0xd800 && code < 0xdc00 && p[0] == '\\' && p[1] == 'u') {
        p += 2;
        code = 0x10000 + ((code - 0xd800) << 10) + (json_hex(&p) - 0xdc00);
      }
      out = json_utf8(out, code);
    } else if (letter != NULL) {
      *out++ = meanings[letter - letters];
      p++;
    } else {
      json_fail("unknown escape", p);
    }
  }
  *at = p + 1;
  *length = (size_t)(out - text);
  return text;
}

static inline json *json_value(const char **at);

static inline void json_members(json *value, const char **at) {
  char close = value->type == JSON_OBJECT ? '}' : ']';
  json **tail = &value->first;
  *at = json_blank(*at + 1);
  while (**at != close) {
    char *key = NULL;
    size_t length;
    if (value->type == JSON_OBJECT) {
      if (**at != '"') {
        json_fail("key expected", *at);
      }
      key = json_text(at, &length);
      *at = json_blank(*at);
      if (**at != ':') {
        json_fail("':' expected", *at);
      }
      *at = json_blank(*at + 1);
    }
    *tail = json_value(at);
    (*tail)->key = key;
    tail = &(*tail)->next;
    *at = json_blank(*at);
    if (**at == ',') {
      *at = json_blank(*at + 1);
    } else if (**at != close) {
      json_fail("',' expected", *at);
    }
  }
  (*at)++;
}

static inline json *json_value(const char **at) {
  json *value = json_allocate(sizeof *value);
  value->start = *at;
  if (**at == '{' || **at == '[') {
    value->type = **at == '{' ? JSON_OBJECT : JSON_ARRAY;
    json_members(value, at);
  } else if (**at == '"') {
    value->type = JSON_STRING;
    value->string = json_text(at, &value->length);
  } else if (strncmp(*at, "null", 4) == 0) {
    value->type = JSON_NULL;
    *at += 4;
  } else if (strncmp(*at, "true", 4) == 0 || strncmp(*at, "false", 5) == 0) {
    value->type = JSON_BOOL;
    value->number = **at == 't';
    *at += **at == 't' ? 4 : 5;
  } else {
    char *end;
    value->type = JSON_NUMBER;
    value->number = strtod(*at, &end);
    if (end == *at) {
      json_fail("value expected", *at);
    }
    *at = end;
  }
  value->end = *at;
  return value;
}

/* Reads one value; the text has to outlive it. */
static inline json *json_read(const char *text) {
  const char *at = json_blank(text);
  json *value = json_value(&at);
  if (*json_blank(at) != '\0') {
    json_fail("text after the value", at);
  }
  return value;
}

static inline void json_free(json *value) {
  while (value != NULL) {
    json *next = value->next;
    json_free(value->first);
    free(value->key);
    free(value->string);
    free(value);
    value = next;
  }
}

/* A member of an object; NULL when there is none. */
static inline const json *json_get(const json *object, const char *key) {
  const json *member = object == NULL || object->type != JSON_OBJECT ? NULL : object->first;
  while (member != NULL && strcmp(member->key, key) != 0) {
    member = member->next;
  }
  return member;
}

/* A string, or NULL. */
static inline const char *json_string(const json *value) {
  return value != NULL && value->type == JSON_STRING ? value->string : NULL;
}

static inline size_t json_count(const json *value) {
  size_t count = 0;
  for (const json *child = value == NULL ? NULL : value->first; child != NULL; child = child->next) {
    count++;
  }
  return count;
}

/* Whether two values mean the same; members of objects have no order. */
static inline int json_equal(const json *a, const json *b) {
  if (a == NULL || b == NULL || a->type != b->type || json_count(a) != json_count(b)) {
    return a == b;
  }
  const json *child, *other = b->first;
  switch (a->type) {
  case JSON_NULL:
    return 1;
  case JSON_BOOL:
  case JSON_NUMBER:
    return a->number == b->number;
  case JSON_STRING:
    return a->length == b->length && memcmp(a->string, b->string, a->length) == 0;
  case JSON_ARRAY:
    for (child = a->first; child != NULL; child = child->next, other = other->next) {
      if (!json_equal(child, other)) {
        return 0;
      }
    }
    return 1;
  case JSON_OBJECT:
    for (child = a->first; child != NULL; child = child->next) {
      if (!json_equal(child, json_get(b, child->key))) {
        return 0;
      }
    }
    return 1;
  }
  return 0;
}

/* The whole of a file, NUL-ended. */
static inline char *json_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(2);
  }
  size_t size = 0, room = 1 << 20, got;
  char *text = json_allocate(room);
  while ((got = fread(text + size, 1, room - size - 1, file)) > 0) {
    size += got;
    if (size + 1 == room) {
      room *= 2;
      text = realloc(text, room);
      if (text == NULL) {
        json_fail("no memory", path);
      }
    }
  }
  fclose(file);
  text[size] = '\0';
  return text;
}

#endif
