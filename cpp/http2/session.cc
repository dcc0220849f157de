#include "http2/session.h"

#include <nghttp2/nghttp2.h>

#include <array>
#include <new>
#include <utility>

#include "http2/session_memory.h"

namespace greetlab {
namespace {

// A message of gRPC's greatest size fits a stream's window, so no answer ever waits for us.
constexpr std::int32_t kStreamWindow = 4 * 1024 * 1024 + 64 * 1024;
constexpr std::int32_t kConnectionWindow = 4 * kStreamWindow;

/// RFC 9113 8.2.1 forbids a space at a value's ends; gRPC's servers send it there where a status
/// message has one, and its clients take it.
nghttp2_option* lenient() {
  nghttp2_option* option = nullptr;
  if (nghttp2_option_new(&option) != 0) throw std::bad_alloc();
  nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
  return option;
}

std::string_view text(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

// What nghttp2 calls. Each belongs to the session that it was made with.
struct Http2Session::Callbacks {
  static Http2Session& self(void* session) { return *static_cast<Http2Session*>(session); }

  static Stream* stream(nghttp2_session* session, std::int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* data) {
    Stream* const stream = Callbacks::stream(session, frame->hd.stream_id);
    self(data).block_ = stream;
    if (stream != nullptr) stream->on_headers(frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t, void* data) {
    if (Stream* const stream = self(data).block_) {
      stream->on_header(text(name, name_size), text(value, value_size));
    }
    return 0;
  }

  static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id,
                     const std::uint8_t* bytes, std::size_t size, void*) {
    if (Stream* const there = stream(session, id)) there->on_data(text(bytes, size));
    return 0;
  }

  static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* data) {
    Http2Session& self = Callbacks::self(data);
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
      case NGHTTP2_DATA: {
        const bool last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
        if (!last && frame->hd.type == NGHTTP2_DATA) break;
        Stream* there = stream(session, frame->hd.stream_id);
        if (there != nullptr && frame->hd.type == NGHTTP2_HEADERS) {
          self.block_ = nullptr;
          there->on_headers_end();
          there = stream(session, frame->hd.stream_id);  // it may have reset itself
        }
        if (there == nullptr || !last) break;
        there->answered_ = true;
        // All is said, and what is left of our request nobody wants (RFC 9113 8.1).
        if (nghttp2_session_get_stream_local_close(session, frame->hd.stream_id) == 0) {
          nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                    NGHTTP2_NO_ERROR);
        }
        break;
      }
      case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0 && !std::exchange(self.ready_, true)) {
          self.watcher_.on_settings();
        }
        break;
      case NGHTTP2_GOAWAY:
        self.draining_ = true;
        self.watcher_.on_go_away(frame->goaway.last_stream_id, frame->goaway.error_code,
                                 text(frame->goaway.opaque_data, frame->goaway.opaque_data_len));
        break;
      case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK) self.watcher_.on_pong();
        break;
      default: break;
    }
    return 0;
  }

  static int before_send(nghttp2_session* session, const nghttp2_frame* frame, void* data) {
    Http2Session& self = Callbacks::self(data);
    if (frame->hd.type == NGHTTP2_HEADERS) {
      if (Stream* const there = stream(session, frame->hd.stream_id)) {
        there->serialized_ = true;
        there->first_byte_ = self.produced_;
      }
    } else if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
      // We say so only where the server has broken the protocol.
      const std::string_view why = text(frame->goaway.opaque_data, frame->goaway.opaque_data_len);
      self.fail(why.empty() ? nghttp2_http2_strerror(frame->goaway.error_code) : why);
    }
    return 0;
  }

  static int on_stream_close(nghttp2_session* session, std::int32_t id, std::uint32_t error,
                             void* data) {
    if (Stream* const there = stream(session, id)) self(data).end(*there, error);
    return 0;
  }

  static ssize_t read_body(nghttp2_session* session, std::int32_t id, std::uint8_t* room,
                           std::size_t size, std::uint32_t* flags, nghttp2_data_source*, void*) {
    Stream* const there = stream(session, id);
    if (there == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    bool last = false;
    const std::size_t count = there->read_body({room, size}, last);
    if (last) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(count);
  }

  static nghttp2_session_callbacks* make() {
    nghttp2_session_callbacks* made = nullptr;
    if (nghttp2_session_callbacks_new(&made) != 0) throw std::bad_alloc();
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(made, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame);
    nghttp2_session_callbacks_set_before_frame_send_callback(made, before_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, on_stream_close);
    return made;
  }
};

Http2Session::Http2Session(Watcher& watcher, bool observes, std::int32_t first_stream,
                           std::pmr::memory_resource& memory)
    : watcher_(watcher) {
  if (observes) observed_ = std::make_unique<Observed>();
  // Made once, and never freed: all sessions have the same.
  static nghttp2_session_callbacks* const callbacks = Callbacks::make();
  static nghttp2_option* const options = lenient();
  nghttp2_mem mem = session_memory(memory);
  if (nghttp2_session_client_new3(&session_, callbacks, this, options, &mem) != 0) {
    throw std::bad_alloc();
  }
  nghttp2_session_set_next_stream_id(session_, first_stream);
  const std::array<nghttp2_settings_entry, 3> settings{{
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMaxHeaderList},
  }};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

Http2Session::~Http2Session() {
  nghttp2_session_del(session_);
}

bool Http2Session::receive(std::string_view bytes) {
  if (observed_ == nullptr) return take_in(bytes);
  // Frame by frame, so that each is told before what comes of it.
  while (!bytes.empty()) {
    const std::size_t size = observed_->received.take(bytes);
    if (observed_->received.whole()) watcher_.on_frame(observed_->received.frame());
    if (!take_in(bytes.substr(0, size))) return false;
    bytes.remove_prefix(size);
  }
  return failure_.empty();
}

bool Http2Session::take_in(std::string_view bytes) {
  const ssize_t read = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (read < 0) fail(nghttp2_strerror(static_cast<int>(read)));
  return failure_.empty();
}

bool Http2Session::take_output(std::string& output) {
  for (;;) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size < 0) fail(nghttp2_strerror(static_cast<int>(size)));
    if (size <= 0) return failure_.empty();
    output.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    produced_ += static_cast<std::size_t>(size);
    if (observed_ != nullptr) tell_sent(text(bytes, static_cast<std::size_t>(size)));
  }
}

void Http2Session::tell_sent(std::string_view bytes) {
  while (!bytes.empty()) {
    bytes.remove_prefix(observed_->sent.take(bytes));
    if (observed_->sent.whole()) watcher_.on_frame(observed_->sent.frame());
  }
}

std::uint32_t Http2Session::max_streams() const {
  return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool Http2Session::full() const {
  return draining_ || !failure_.empty() || open_.size() >= max_streams();
}

bool Http2Session::used_up() const {
  return nghttp2_session_get_next_stream_id(session_) > 0x7fffffff;
}

void Http2Session::submit(Stream& stream, std::span<const Http2Header> headers) {
  std::array<nghttp2_nv, kMostHeaders> block{};
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto& [name, value] = headers[i];
    // nghttp2 takes them as if it wrote to them, and does not: it copies.
    block[i] = {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
                value.size(), NGHTTP2_NV_FLAG_NONE};
  }
  const nghttp2_data_provider body{{}, Callbacks::read_body};
  stream.serialized_ = stream.answered_ = false;
  stream.id_ =
      nghttp2_submit_request(session_, nullptr, block.data(), headers.size(), &body, &stream);
  if (stream.id_ < 0) throw std::bad_alloc();
  stream.place_ = open_.size();
  open_.push_back(&stream);
}

void Http2Session::reset(Stream& stream, std::uint32_t error) {
  if (stream.id_ == 0) return;
  nghttp2_session_set_stream_user_data(session_, stream.id_, nullptr);
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, error);
  forget(stream);
}

void Http2Session::ping() {
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
}

void Http2Session::close(std::size_t unwritten, std::string_view why) {
  fail(why);
  const std::uint64_t written = produced_ - unwritten;
  while (!open_.empty()) {
    Stream& stream = *open_.back();
    if (stream.first_byte_ >= written) stream.serialized_ = false;
    end(stream, kLost);
  }
}

void Http2Session::forget(Stream& stream) {
  open_.back()->place_ = stream.place_;
  open_[stream.place_] = open_.back();
  open_.pop_back();
  stream.id_ = 0;
  if (block_ == &stream) block_ = nullptr;
}

void Http2Session::end(Stream& stream, std::uint32_t error) {
  forget(stream);
  const Reach reach = !stream.serialized_               ? Reach::never_left
                      : error == NGHTTP2_REFUSED_STREAM ? Reach::refused
                                                        : Reach::processed;
  stream.on_closed(reach, error, stream.answered_);
}

void Http2Session::fail(std::string_view why) {
  if (failure_.empty()) failure_ = why;
}

}  // namespace greetlab
