// A call over HTTP/2 without a socket: the server is frames, written by hand or by nghttp2.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http2/grpc_call.h"
#include "http2/grpc_request.h"
#include "http2/grpc_status.h"
#include "http2/session.h"

using namespace greetlab;
using namespace std::string_literals;

namespace {

int broken = 0;

void expect(bool holds, const char* what, int line) {
  if (holds) return;
  std::printf("line %d: %s\n", line, what);
  ++broken;
}
#define EXPECT(...) expect(__VA_ARGS__, #__VA_ARGS__, __LINE__)

// --- Frames (RFC 9113 4.1, 6; headers as literals that are not indexed, RFC 7541 6.2.2) ----------

std::string number(std::uint32_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += char(value >> shift & 0xff);
  return text;
}
std::string frame(int type, int flags, std::uint32_t stream, const std::string& payload = "") {
  return number(std::uint32_t(payload.size()), 3) + char(type) + char(flags) + number(stream, 4) +
         payload;
}
std::string field(const std::string& name, const std::string& value) {
  return "\0"s + char(name.size()) + name + char(value.size()) + value;
}

const std::string kSettings = frame(4, 0, 0);
const std::string kOk = "\x88" + field("content-type", "application/grpc");
std::string headers(std::uint32_t stream, const std::string& block, bool last = false) {
  return frame(1, last ? 5 : 4, stream, block);
}
std::string data(std::uint32_t stream, const std::string& bytes, bool last = false) {
  return frame(0, last ? 1 : 0, stream, bytes);
}
std::string trailers(std::uint32_t stream, const std::string& code) {
  return headers(stream, field("grpc-status", code), true);
}
std::string answer(std::uint32_t stream, const std::string& words) {
  return headers(stream, kOk) + data(stream, length_prefixed(words)) + trailers(stream, "0");
}
std::string go_away(std::uint32_t last, std::uint32_t error = 0, const std::string& debug = "") {
  return frame(7, 0, 0, number(last, 4) + number(error, 4) + debug);
}
std::string reset(std::uint32_t stream, std::uint32_t error) {
  return frame(3, 0, stream, number(error, 4));
}

// --- The client ----------------------------------------------------------------------------------

struct Call final : GrpcCall {
  std::vector<std::string> messages;
  int ended = 0;
  Status status;
  Reach reach{};

  void on_message(std::string_view message) override { messages.emplace_back(message); }
  void on_end(const Status& how, Reach far) override {
    ++ended;
    status = how;
    reach = far;
  }
};

struct Client final : Http2Session::Watcher {
  explicit Client(bool observes = false, std::int32_t first_stream = 1)
      : session(*this, observes, first_stream) {}

  void on_settings() override { ++settings; }
  void on_go_away(std::int32_t last, std::uint32_t, std::string_view debug) override {
    last_stream = last;
    this->debug = debug;
  }
  void on_pong() override { ++pongs; }
  void on_frame(const Http2Frame& frame) override {
    frames.push_back(frame);
    excerpts.emplace_back(frame.excerpt);
  }

  void start(Call& call, bool unary = true) {
    call.start(session, {"/greet.GreetService/Greet", "greetserver", body, std::nullopt, unary});
  }
  std::string output() {
    std::string bytes;
    session.take_output(bytes);
    return bytes;
  }
  // A call that is sent, and what becomes of it when the server says `bytes`.
  Status said(const std::string& bytes, bool unary = true) {
    Call call;
    session.receive(kSettings);
    start(call, unary);
    output();
    session.receive(bytes);
    output();
    EXPECT(call.ended == 1);
    last = call.messages;
    reach = call.reach;
    return call.status;
  }

  const std::string body = length_prefixed("Ada");
  Http2Session session;
  int settings = 0;
  int pongs = 0;
  std::int32_t last_stream = -1;
  std::string debug;
  std::vector<Http2Frame> frames;
  std::vector<std::string> excerpts;
  std::vector<std::string> last;
  Reach reach{};
};

Status said(const std::string& bytes, bool unary = true) {
  Client client;
  return client.said(bytes, unary);
}

// --- What must hold ------------------------------------------------------------------------------

void a_call_is_answered() {
  Client client;
  EXPECT(client.output().starts_with("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  EXPECT(client.session.receive(kSettings));
  EXPECT(client.session.receive(kSettings));
  EXPECT(client.settings == 1);
  EXPECT(client.said(answer(1, "Hello")).ok());
  EXPECT(client.last == std::vector{"Hello"s});
  EXPECT(client.session.streams() == 0);
}

void bytes_may_come_one_by_one() {
  Client client;
  Call call;
  client.session.receive(kSettings);
  client.start(call);
  client.output();
  for (const char byte : answer(1, "Hello")) client.session.receive({&byte, 1});
  EXPECT(call.status.ok() && call.messages == std::vector{"Hello"s});
}

void a_stream_of_messages_is_told_one_by_one() {
  const std::string two = length_prefixed("one") + length_prefixed("two");
  Client client;
  EXPECT(client.said(headers(1, kOk) + data(1, two) + trailers(1, "0"), false).ok());
  EXPECT((client.last == std::vector{"one"s, "two"s}));
  EXPECT(said(headers(1, kOk) + data(1, two) + trailers(1, "0")).code == Code::unimplemented);
}

void every_bad_answer_has_its_status() {
  EXPECT(said(headers(1, kOk + field("grpc-status", "5") + field("grpc-message", "a%20b%"), true))
             .message == "a b%");
  EXPECT(said(trailers(1, "0")).code == Code::internal);  // trailers before headers: no :status
  EXPECT(said(headers(1, kOk) + trailers(1, "99")).code == Code::unknown);
  EXPECT(said(headers(1, kOk) + trailers(1, "0")).code == Code::unimplemented);  // no message
  EXPECT(said(headers(1, kOk, true)).code == Code::unknown);                     // no status
  const std::string interim = headers(1, field(":status", "103") + field("grpc-status", "5"));
  EXPECT(said(interim + answer(1, "A")).ok());
  EXPECT(said(interim + headers(1, kOk, true)).code == Code::unknown);  // not 5
  const std::string html = field(":status", "503") + field("content-type", "text/html");
  EXPECT(said(headers(1, html) + data(1, "<html>", true)).code == Code::unavailable);
  EXPECT(said(headers(1, kOk) + data(1, "\1\0\0\0\1x"s)).code == Code::internal);  // compressed
  EXPECT(said(headers(1, kOk) + data(1, "\0\0P\0\0"s)).code == Code::resource_exhausted);  // 5 MiB
  EXPECT(said(headers(1, kOk) + data(1, "\0\0\0\0\5ab"s) + trailers(1, "0")).code ==
         Code::internal);  // cut off
  std::string bomb = kOk;
  for (int i = 0; i < 600; ++i) bomb += field("x", "");  // 4 bytes that count as 33
  EXPECT(said(headers(1, bomb)).code == Code::resource_exhausted);
}

void how_far_it_came_is_exact() {
  Client refused;
  EXPECT(refused.said(reset(1, 7)).code == Code::unavailable);
  EXPECT(refused.reach == Reach::refused);
  Client cancelled;
  EXPECT(cancelled.said(reset(1, 8)).code == Code::cancelled);
  EXPECT(cancelled.reach == Reach::processed);
  Client told;
  EXPECT(told.said(go_away(0, 0, "bye")).code == Code::unavailable);
  EXPECT(told.reach == Reach::refused && told.debug == "bye" && told.session.full());
  Client gone;
  Call sent, written, kept;
  gone.session.receive(kSettings);
  for (Call* call : {&sent, &written}) gone.start(*call);
  gone.output();
  gone.start(kept);
  const std::size_t unwritten = gone.output().size();
  gone.session.close(unwritten, "Connection reset by peer");
  EXPECT(sent.reach == Reach::processed && kept.reach == Reach::never_left);
  EXPECT(sent.status.message == "Connection reset by peer");
}

void a_goaway_lets_older_calls_end() {
  Client client;
  Call old, young;
  client.session.receive(kSettings);
  client.start(old);
  client.start(young);
  client.output();
  client.session.receive(go_away(1) + go_away(1));
  EXPECT(young.ended == 1 && young.reach == Reach::refused && old.ended == 0);
  client.session.receive(answer(1, "Hello"));
  EXPECT(old.status.ok() && old.ended == 1 && client.last_stream == 1);
}

void no_more_streams_than_the_server_takes() {
  Client client;
  Call one, two;
  client.session.receive(frame(4, 0, 0, number(3, 2) + number(1, 4)));
  EXPECT(!client.session.full());
  client.start(one);
  client.output();
  EXPECT(client.session.full());
  client.session.receive(answer(1, "A"));
  EXPECT(!client.session.full());
  client.start(two);
  client.output();
  two.give_up();
  EXPECT(!client.session.full());
  EXPECT(client.output() == reset(3, 8));
  client.session.receive(answer(3, "late"));
  EXPECT(two.ended == 0);
}

void stream_numbers_come_to_an_end() {
  Client client(false, 0x7fffffff);
  Call last;
  client.session.receive(kSettings);
  EXPECT(!client.session.used_up());
  client.start(last);
  client.output();
  EXPECT(client.session.used_up());
  client.session.receive(answer(0x7fffffff, "A"));
  EXPECT(last.status.ok());
}

void frames_are_cut_out_of_any_pieces() {
  const std::string wire = frame(4, 0, 0) + frame(9, 4, 5, std::string(300, 'x')) +
                           frame(0x2a, 0xff, 7, "abc") + frame(0, 1, 0x7fffffff, "Ada");
  for (std::size_t piece = 1; piece <= wire.size(); ++piece) {
    FrameReader reader(false);
    std::vector<Http2Frame> told;
    std::vector<std::string> excerpts;
    for (std::size_t at = 0; at < wire.size(); at += piece) {
      std::string_view bytes = std::string_view(wire).substr(at, piece);
      while (!bytes.empty()) {
        bytes.remove_prefix(reader.take(bytes));
        if (!reader.whole()) continue;
        told.push_back(reader.frame());
        excerpts.emplace_back(reader.frame().excerpt);
      }
    }
    EXPECT(told.size() == 4);
    EXPECT(told[0].type == FrameType::settings && told[0].length == 0);
    EXPECT(told[1].type == FrameType::continuation && told[1].length == 300);
    EXPECT(excerpts[1] == std::string(kFrameExcerpt, 'x'));
    EXPECT(told[2].type == FrameType::extension && told[2].flags == 0xff && told[2].stream == 7);
    EXPECT(told[3].type == FrameType::data && told[3].stream == 0x7fffffff && excerpts[3] == "Ada");
  }
}

void the_preface_is_told_and_the_words_of_flags() {
  Client client(true);
  EXPECT(client.output().starts_with(client.excerpts[0]));
  EXPECT(client.frames[0].type == FrameType::preface && client.frames[0].length == 24);
  EXPECT(client.frames[1].type == FrameType::settings && client.frames[1].sent);
  EXPECT(flags_in_words(FrameType::headers, 0x25) == "END_STREAM|END_HEADERS|PRIORITY");
  EXPECT(flags_in_words(FrameType::ping, 0x01) == "ACK");
  EXPECT(flags_in_words(FrameType::data, 0x44) == "0x44");
  EXPECT(flags_in_words(FrameType::goaway, 0).empty());
}

void pings_are_answered_and_frames_are_told() {
  Client client(true);
  client.output();
  client.frames.clear();
  client.session.receive(kSettings + frame(6, 0, 0, "12345678"));
  EXPECT(client.output() == frame(4, 1, 0) + frame(6, 1, 0, "12345678"));
  EXPECT(client.frames.size() == 4 && !client.frames[1].sent &&
         client.frames[1].type == FrameType::ping);
  EXPECT(client.frames[1].length == 8 && client.frames[3].sent && client.frames[3].flags == 1);
  client.session.ping();
  client.output();
  client.session.receive(frame(6, 1, 0, std::string(8, '\0')));
  EXPECT(client.pongs == 1);
}

void what_is_no_http2_ends_the_connection() {
  Client client;
  client.session.receive("HTTP/1.1 400 Bad Request\r\n\r\n");
  client.output();  // a GOAWAY that says why
  EXPECT(!client.session.receive("more") && !client.session.failure().empty());
}

void words_are_as_the_specification_has_them() {
  EXPECT(timeout_text(std::chrono::seconds(5)) == "5S");
  EXPECT(timeout_text(Duration(4'999'999'000)) == "5S");
  EXPECT(timeout_text(std::chrono::milliseconds(20)) == "20m");
  EXPECT(timeout_text(Duration(1'234'567)) == "1240u");
  EXPECT(timeout_text(Duration(-1)) == "1n");
  EXPECT(timeout_text(Duration::max()) == "99999999S");
  EXPECT(code_of_http(404) == Code::unimplemented && code_of_http(418) == Code::unknown);
  EXPECT(code_of_reset(0xb) == Code::resource_exhausted && code_of_reset(99) == Code::internal);
  EXPECT(percent_decoded("%E2%82%AC %zz %4") == "\u20ac %zz %4");
}

}  // namespace

int main() {
  a_call_is_answered();
  bytes_may_come_one_by_one();
  a_stream_of_messages_is_told_one_by_one();
  every_bad_answer_has_its_status();
  how_far_it_came_is_exact();
  a_goaway_lets_older_calls_end();
  no_more_streams_than_the_server_takes();
  stream_numbers_come_to_an_end();
  frames_are_cut_out_of_any_pieces();
  the_preface_is_told_and_the_words_of_flags();
  pings_are_answered_and_frames_are_told();
  what_is_no_http2_ends_the_connection();
  words_are_as_the_specification_has_them();
  std::printf("%d broken\n", broken);
  return broken == 0 ? 0 : 1;
}
