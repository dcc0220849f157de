#include "http2/grpc_response.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/printable.h"
#include "http2/grpc_status.h"

namespace greetlab {
namespace {

constexpr std::size_t kPrefix = 5;  // of a message: whether it is compressed, and its length

/// -1 for what is no number.
int number_in(std::string_view text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? number : -1;
}

}  // namespace

void GrpcResponse::begin(bool unary, std::size_t max_message) {
  unary_ = unary;
  max_message_ = max_message;
  broken_.reset();
  http_status_ = 0;
  begun_ = false;
  pushback_.reset();
  content_type_.clear();
  encoding_.clear();
  grpc_status_.reset();
  grpc_message_.clear();
  messages_ = 0;
  partial_.clear();
}

void GrpcResponse::refuse(Code code, std::string why) {
  if (!broken_) broken_ = {code, std::move(why)};
}

// --- Headers -------------------------------------------------------------------------------------

void GrpcResponse::headers_begin(bool last) {
  header_bytes_ = 0;
  last_block_ = last;
}

void GrpcResponse::header(std::string_view name, std::string_view value) {
  header_bytes_ += name.size() + value.size() + 32;
  if (header_bytes_ > Http2Session::kMaxHeaderList) {
    return refuse(Code::resource_exhausted, "the answer has more than " +
                                                std::to_string(Http2Session::kMaxHeaderList) +
                                                " bytes of headers");
  }
  if (name == ":status") {
    http_status_ = number_in(value);
  } else if (name == "grpc-status") {
    grpc_status_ = number_in(value);
  } else if (name == "grpc-message") {
    grpc_message_ = value;
  } else if (name == "grpc-retry-pushback-ms") {
    pushback_ = std::chrono::milliseconds(number_in(value));
  } else if (name == "content-type") {
    content_type_ = value;
  } else if (name == "grpc-encoding") {
    encoding_ = value;
  } else if (http_status_ >= 200 && (!name.starts_with("grpc-") || name.ends_with("-bin"))) {
    reader_.on_metadata(name, value, last_block_);
  }
}

void GrpcResponse::headers_end() {
  if (http_status_ < 200)
    return begin(unary_, max_message_);  // 1xx: it is still to come (RFC 9110 15.2)
  if (!last_block_) begun_ = true;
}

bool GrpcResponse::is_grpc() const {
  return http_status_ == 200 &&
         (content_type_.empty() || content_type_.starts_with("application/grpc"));
}

// --- Messages ------------------------------------------------------------------------------------

void GrpcResponse::data(std::string_view bytes) {
  if (!is_grpc()) return;  // a proxy's page: nobody reads it
  while (!bytes.empty() && !broken_) {
    if (partial_.empty() && bytes.size() >= kPrefix) {
      const std::size_t whole = kPrefix + size_of_message(bytes);
      if (broken_) return;
      if (bytes.size() >= whole) {  // the usual case, and no copy
        message(bytes.substr(kPrefix, whole - kPrefix));
        bytes.remove_prefix(whole);
        continue;
      }
    }
    std::size_t wanted = kPrefix;
    if (partial_.size() >= kPrefix) wanted += size_of_message(partial_);
    const std::size_t taken = std::min(wanted - partial_.size(), bytes.size());
    partial_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (partial_.size() < kPrefix || partial_.size() < kPrefix + size_of_message(partial_))
      continue;
    if (broken_) return;
    message(std::string_view(partial_).substr(kPrefix));
    partial_.clear();
  }
}

std::size_t GrpcResponse::size_of_message(std::string_view prefix) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(prefix[i]); };
  const std::size_t size =
      std::size_t{byte(1)} << 24 | std::size_t{byte(2)} << 16 | std::size_t{byte(3)} << 8 | byte(4);
  if (byte(0) > 1) {
    refuse(Code::internal,
           "what should be a message begins with " + std::to_string(byte(0)) + ", not with 0 or 1");
  } else if (byte(0) == 1) {
    // We have offered no compression (grpc/grpc doc/compression.md).
    refuse(Code::internal, "a message is compressed (" +
                               (encoding_.empty() ? "nobody says how" : encoding_) +
                               "), which nobody has asked for");
  } else if (size > max_message_) {
    refuse(Code::resource_exhausted, "a message is larger than the most (" + std::to_string(size) +
                                         " vs. " + std::to_string(max_message_) + ")");
  }
  return size;
}

void GrpcResponse::message(std::string_view bytes) {
  if (++messages_ > 1 && unary_) {
    return refuse(Code::unimplemented, "the answer has more than one message");
  }
  reader_.on_message(bytes);
}

// --- The end -------------------------------------------------------------------------------------

Status GrpcResponse::end(std::uint32_t error, bool answered, std::string_view lost) const {
  if (broken_) return *broken_;
  if (!answered) {
    if (error == Http2Session::kLost) return {Code::unavailable, std::string(lost)};
    return {code_of_reset(error), "the stream was reset: " + std::string(reset_name(error))};
  }
  if (grpc_status_) {
    const Code code = code_of(*grpc_status_);
    if (code != Code::ok)
      return {code, utf8(percent_decoded(grpc_message_))};  // JSON and Python have nothing else
    if (!partial_.empty()) return {Code::internal, "the last message is cut off"};
    if (unary_ && messages_ == 0) return {Code::unimplemented, "the answer has no message"};
    return {};
  }
  if (http_status_ != 200) {
    return {code_of_http(http_status_),
            "the answer has no grpc-status, but the HTTP status " + std::to_string(http_status_)};
  }
  return {Code::unknown, "the answer has no grpc-status"};
}

}  // namespace greetlab
