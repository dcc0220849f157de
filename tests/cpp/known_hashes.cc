// XXH64's numbers, as the reference implementation has them. To compile it is to test it.
#include "lb/xxh64.h"

using greetlab::xxh64;

static_assert(xxh64("") == 0xef46db3751d8e999);
static_assert(xxh64("abc") == 0x44bc2cf5ad770999);
static_assert(xxh64("10.244.0.3:50051", 42) == 0xa514f3e5c5586fe2);
static_assert(xxh64("Nobody inspects the spammish repetition") == 0xfbcea83c8a378bf1);
static_assert(xxh64("Nobody inspects the spammish repetition, twice over and again", 7) ==
              0x3281431d7aaffe69);

int main() {}
