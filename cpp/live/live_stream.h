// A stream that somebody watches, over a real connection.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lb/connector.h"
#include "live/side_call.h"

namespace greetlab {

/// Whose streams they are.
class StreamCarrier {
 public:
  virtual ~StreamCarrier() = default;
  virtual void begin(SideCall& call) = 0;
  /// It is to be forgotten, or its end to be told to the server.
  virtual void end(SideCall& call) = 0;
  /// What of it follows from.
  virtual EventId up() const = 0;
};

template <class Message>
class LiveStream final : public Stream, private SideCall::Reader {
 public:
  using Parse = std::optional<Message> (*)(std::string_view);

  /// @param parse nothing: it is no such message. watcher: outlives it.
  LiveStream(std::shared_ptr<StreamCarrier> carrier, Loop& loop, std::string path,
             std::string_view request, Parse parse, StreamWatcher<Message>& watcher)
      : carrier_(std::move(carrier)),
        parse_(parse),
        watcher_(watcher),
        call_(std::make_shared<SideCall>(loop, std::move(path), request,
                                         static_cast<SideCall::Reader&>(*this))) {
    carrier_->begin(*call_);
  }
  ~LiveStream() override {
    carrier_->end(*call_);
    call_->leave(std::move(carrier_));
  }
  LiveStream(const LiveStream&) = delete;
  LiveStream& operator=(const LiveStream&) = delete;

 private:
  void on_answer(std::string_view bytes) override {
    if (const std::optional<Message> message = parse_(bytes)) {
      return watcher_.on_message(*message, carrier_->up());
    }
    // As any method whose answer cannot be read. The watcher lets go of it.
    watcher_.on_stream_end({Code::internal, "the answer is no such message"}, carrier_->up());
  }
  void on_over(const Status& why) override { watcher_.on_stream_end(why, carrier_->up()); }

  std::shared_ptr<StreamCarrier> carrier_;
  const Parse parse_;
  StreamWatcher<Message>& watcher_;
  const std::shared_ptr<SideCall> call_;
};

}  // namespace greetlab
