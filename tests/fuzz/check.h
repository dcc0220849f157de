// What must hold, in every build.
#pragma once

#include <cstdio>
#include <cstdlib>

#define CHECK(what)                                                   \
  do {                                                                \
    if (!(what)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
      std::abort();                                                   \
    }                                                                 \
  } while (false)
