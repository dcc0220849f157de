// Sorting in little code, for lists that are short or seldom sorted.
#pragma once

#include <algorithm>
#include <functional>

namespace greetlab {

/// As std::ranges::sort: equals stand in no order that could be told. A heapsort, which is a fifth
/// of the code that libc++'s is for each type; the page's engine is made of such things.
template <class Range, class Projection = std::identity>
void sort(Range& range, Projection projection = {}) {
  std::ranges::make_heap(range, {}, projection);
  std::ranges::sort_heap(range, {}, projection);
}

}  // namespace greetlab
