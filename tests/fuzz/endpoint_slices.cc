// Any bytes as what a Kubernetes API says: as a list, as a line of a watch, and, through the watch
// and the resolver, as both, in pieces. Whatever comes, endpoints are addresses, and why not is a
// sentence.
//
// The first byte says how long the pieces are, the second which port is wanted; then a list, a
// newline, and the lines of a watch.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "check.h"
#include "core/address.h"
#include "core/printable.h"
#include "core/virtual_clock.h"
#include "kube/kube_service.h"
#include "kube/slice_json.h"
#include "kube/slice_watch.h"
#include "lb/watch_resolver.h"

using namespace greetlab;

namespace {

void check(const EndpointSlice& slice) {
  for (const SliceEndpoint& endpoint : slice.endpoints) {
    CHECK(!endpoint.addresses.empty());
    for (const Address& address : endpoint.addresses) {
      CHECK(address.port > 0);
      CHECK(parse_address(to_string(address)) == address);
    }
  }
}

void check_sentence(const std::string& why) {
  CHECK(!why.empty() && why.size() < 4096);
  CHECK(printable(why) == why);
}

void read(const std::string& text, const KubePort& port) {
  std::string why;
  if (const auto list = read_slice_list(text, port, why)) {
    CHECK(!list->version.empty());
    for (const SliceAtPort& one : list->slices) {
      CHECK(!one.slice.name.empty());
      CHECK(one.has_port || one.slice.endpoints.empty());
      check(one.slice);
    }
  } else {
    check_sentence(why);
  }
  why.clear();
  if (const auto news = read_slice_news(text, port, why)) {
    if (news->kind != SliceNews::Kind::error) CHECK(!news->version.empty());
    check(news->slice.slice);
  } else {
    check_sentence(why);
  }
  CHECK(printable(status_message(text)) == status_message(text));
}

// An API server that says what it is given.
class Api final : public KubeApi {
 public:
  std::unique_ptr<Request> get(std::string, EventId, Reader& reader) override {
    reader_ = &reader;
    ++asked;
    return std::make_unique<Asked>(*this);
  }
  std::string name() const override { return "https://10.96.0.1:443"; }

  /// All of an answer, or as much as is listened to.
  void answer(std::string_view text, std::size_t piece) {
    if (reader_ != nullptr) reader_->on_answer(200);
    for (; !text.empty() && reader_ != nullptr; text.remove_prefix(std::min(piece, text.size()))) {
      reader_->on_body(text.substr(0, piece));
    }
    if (reader_ != nullptr) reader_->on_end({});
  }

  int asked = 0;

 private:
  struct Asked final : Request {
    explicit Asked(Api& whose) : api(whose), number(whose.asked) {}
    ~Asked() override {
      if (api.asked == number) api.reader_ = nullptr;
    }
    Api& api;
    int number;
  };

  Reader* reader_ = nullptr;
};

struct Channel final : Resolver::Watcher {
  bool on_resolution(const Resolution& answer, EventId) override {
    if (!answer.status.ok()) {
      CHECK(answer.endpoints.empty());
      check_sentence(answer.status.message);
    }
    for (const Endpoint& endpoint : answer.endpoints) CHECK(!endpoint.addresses.empty());
    ++answers;
    return true;
  }
  std::size_t answers = 0;
};

void watch(std::string_view text, std::size_t piece, const KubeService& service) {
  VirtualClock clock;
  Rng rng(7);
  Trace trace(clock);
  Recording kept(1000);
  trace.listen(&kept);
  Api api;
  Channel channel;
  const Symbol who = trace.symbol("client-1");
  WatchResolver resolver(
      trace, who, service.name,
      std::make_unique<SliceWatch>(SliceWatch::Ports{clock, rng, trace, who, api}, service));
  resolver.start(channel, EventId::none);
  const auto end = text.find('\n');
  api.answer(text.substr(0, end), piece);
  clock.run_until(clock.now());
  if (end != std::string_view::npos) api.answer(text.substr(end + 1), piece);
  // It asks again, sooner or later, and never without end at one moment.
  const int before = api.asked;
  clock.run_until(clock.now() + std::chrono::minutes(2));
  CHECK(api.asked > before || before > 1);
  CHECK(api.asked - before < 200);
  CHECK(channel.answers > 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  static const KubeService kServices[] = {parse_kube_service("web.default"),
                                          parse_kube_service("web.default:grpc"),
                                          parse_kube_service("web.default:50051")};
  const std::size_t piece = data[0] % 64 + 1;
  const KubeService& service = kServices[data[1] % 3];
  const std::string text(reinterpret_cast<const char*>(data) + 2, size - 2);
  read(text, service.port);
  watch(text, piece, service);
  return 0;
}
