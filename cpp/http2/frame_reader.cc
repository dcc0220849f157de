#include "http2/frame_reader.h"

#include <algorithm>
#include <cstring>

namespace greetlab {
namespace {

std::uint32_t number(const char* bytes, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
  return value;
}

}  // namespace

std::uint32_t FrameReader::length() const {
  return preface_ ? kPreface : number(begin_.data(), 3);
}

std::size_t FrameReader::size() const {
  return taken_ < head() ? head() : head() + length();
}

std::size_t FrameReader::take(std::string_view bytes) {
  if (whole()) {
    taken_ = 0;
    preface_ = false;
  }
  std::size_t count = 0;
  while (count < bytes.size() && !whole()) {  // twice at most: the head, and what follows it
    const std::size_t piece = std::min(bytes.size() - count, size() - taken_);
    if (taken_ < begin_.size()) {
      std::memcpy(begin_.data() + taken_, bytes.data() + count,
                  std::min(piece, begin_.size() - taken_));
    }
    taken_ += piece;
    count += piece;
  }
  return count;
}

Http2Frame FrameReader::frame() const {
  const std::string_view excerpt(begin_.data() + head(),
                                 std::min<std::size_t>(length(), kFrameExcerpt));
  if (preface_) return {sent_, FrameType::preface, 0, 0, length(), excerpt};
  const auto type = std::min(static_cast<std::uint8_t>(begin_[3]),
                             static_cast<std::uint8_t>(FrameType::extension));
  return {sent_,
          static_cast<FrameType>(type),
          static_cast<std::uint8_t>(begin_[4]),
          static_cast<std::int32_t>(number(&begin_[5], 4) & 0x7fffffff),
          length(),
          excerpt};
}

}  // namespace greetlab
