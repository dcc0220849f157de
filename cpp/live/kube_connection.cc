#include "live/kube_connection.h"

#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/duration.h"
#include "dns/resolver_config.h"
#include "http2/grpc_status.h"
#include "lb/keepalive.h"
#include "live/transport.h"

namespace greetlab {
namespace {

constexpr KeepaliveConfig kKeepalive{std::chrono::seconds(30), std::chrono::seconds(15), true};
constexpr std::uint32_t kCancel = 0x8;  // RFC 9113 7

std::unique_ptr<const TlsClient> tls_of(const KubeAccess& access) {
  if (!access.tls) return nullptr;
  return std::make_unique<TlsClient>(Credentials{access.ca, access.cert, access.key},
                                     access.server_name);
}

}  // namespace

// A request, as a stream.
class KubeConnection::Exchange final : public Http2Session::Stream {
 public:
  Exchange(const KubeAccess& access, std::string path, Reader& reader)
      : access_(access),
        path_(access.prefix + std::move(path)),
        authority_(to_string(Address{access.host, access.port})),
        reader_(&reader) {}

  // @return why it can't be sent; empty: it is on its way.
  std::string send(Http2Session& session) {
    std::string bearer;
    try {
      bearer = access_.bearer();
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    if (!bearer.empty()) bearer.insert(0, "Bearer ");
    const std::array<Http2Header, 7> headers{{{":method", "GET"},
                                              {":scheme", access_.tls ? "https" : "http"},
                                              {":path", path_},
                                              {":authority", authority_},
                                              {"accept", "application/json"},
                                              {"user-agent", "greetlab/" GREETLAB_VERSION},
                                              {"authorization", bearer}}};
    session_ = &session;
    session.submit(*this, std::span(headers).first(bearer.empty() ? 6 : 7));
    return {};
  }

  // Nobody listens any more.
  void leave() {
    reader_ = nullptr;
    if (session_ != nullptr) std::exchange(session_, nullptr)->reset(*this, kCancel);
  }

  bool left() const { return reader_ == nullptr; }

  void end(const Status& how) {
    if (reader_ != nullptr) std::exchange(reader_, nullptr)->on_end(how);
  }

 private:
  // Http2Session::Stream
  std::size_t read_body(std::span<std::uint8_t>, bool& last) override {
    last = true;
    return 0;
  }
  void on_headers(bool) override {}
  void on_header(std::string_view name, std::string_view value) override {
    if (name != ":status") return;
    code_ = 0;
    std::from_chars(value.data(), value.data() + value.size(), code_);
  }
  void on_headers_end() override {
    const bool interim = code_ < 200;
    if (interim || std::exchange(answered_, true)) return;  // trailers
    if (reader_ != nullptr) reader_->on_answer(code_);
  }
  void on_data(std::string_view bytes) override {
    if (reader_ != nullptr) reader_->on_body(bytes);
  }
  void on_closed(Reach, std::uint32_t error, bool whole) override {
    const std::string why = std::exchange(session_, nullptr)->failure();
    if (whole) return end({});
    end({Code::unavailable,
         access_.name() + ": " +
             (error == Http2Session::kLost ? why : std::string(reset_name(error)))});
  }

  const KubeAccess& access_;
  const std::string path_;
  const std::string authority_;
  Reader* reader_;                   // nullptr: it wants to hear no more
  Http2Session* session_ = nullptr;  // on which it is open
  int code_ = 0;
  bool answered_ = false;
};

// A connection. Lives on while there are requests on it.
class KubeConnection::Link final : public std::enable_shared_from_this<Link>,
                                   public Transport::Owner,
                                   private Keepalive::Peer {
 public:
  Link(KubeConnection& of, Loop& loop)
      : access_(of.access_),
        transport_(std::make_shared<Transport>(loop, *this, of.tls_.get(), false)),
        keepalive_(loop, kKeepalive, *this),
        failed_dials_(of.failed_dials_) {}
  ~Link() override { transport_->close(); }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void connect(const Address& address) { transport_->connect(address, {}); }
  void fail(const std::string& why) { on_gone(why); }

  bool usable() const { return !over_; }

  void send(const std::shared_ptr<Exchange>& exchange) {
    if (exchange->left()) return;
    if (over_) return exchange->end(lost());
    if (!transport_->session().ready() || transport_->session().full()) {
      return waiting_.push_back(exchange);
    }
    start(*exchange);
  }

  void leave(const std::shared_ptr<Exchange>& exchange) {
    std::erase(waiting_, exchange);
    exchange->leave();
    transport_->touch();
  }

 private:
  // --- Transport::Owner

  void on_secured(const TlsAgreement&, Duration) override {}
  void on_ready() override {
    failed_dials_ = 0;
    keepalive_.start();
    send_waiting();
  }
  // What is on its way goes on.
  void on_go_away(std::int32_t, std::uint32_t error, std::string_view) override {
    end_waiting("GOAWAY, " + std::string(reset_name(error)));
  }
  void on_pong() override {}
  void on_read() override {
    keepalive_.heard();
    if (transport_->session().ready()) send_waiting();
  }
  void on_gone(const std::string& why) override {
    keepalive_.stop();
    if (!transport_->session().ready()) ++failed_dials_;
    const std::string tls = transport_->tls_failure();
    end_waiting(tls.empty() ? why : "TLS failed: " + tls);
  }
  void on_frame(const Http2Frame&) override {}

  // --- Keepalive::Peer

  bool has_calls() const override { return transport_->session().streams() > 0; }
  void ping() override {
    transport_->session().ping();
    transport_->touch();
  }
  void on_silence() override {
    transport_->give_up("no answer to a PING in " + to_text(kKeepalive.timeout));
  }

  void end_waiting(std::string why) {
    over_ = true;
    why_ = std::move(why);
    for (const auto& exchange : std::exchange(waiting_, {})) exchange->end(lost());
  }

  Status lost() const { return {Code::unavailable, access_.name() + ": " + why_}; }

  void send_waiting() {
    while (!waiting_.empty() && !transport_->session().full()) {
      const auto next = waiting_.front();
      waiting_.erase(waiting_.begin());
      start(*next);
    }
  }

  void start(Exchange& exchange) {
    const std::string why = exchange.send(transport_->session());
    if (!why.empty()) return exchange.end({Code::unauthenticated, why});
    transport_->touch();
  }

  const KubeAccess& access_;
  const std::shared_ptr<Transport> transport_;
  Keepalive keepalive_;
  std::size_t& failed_dials_;
  bool over_ = false;                               // for new requests,
  std::string why_;                                 // and why
  std::vector<std::shared_ptr<Exchange>> waiting_;  // for the connection
};

KubeConnection::KubeConnection(Loop& loop, Trace& trace, Symbol who, KubeAccess access)
    : loop_(loop),
      access_(std::move(access)),
      host_(parse_dns("/" + to_string(Address{access_.host, access_.port}))),
      tls_(tls_of(access_)),
      dns_(loop, loop.poller(), system_resolver_config()),
      lookup_(loop, dns_, trace, who, host_, nullptr) {}

KubeConnection::~KubeConnection() = default;

std::unique_ptr<KubeApi::Request> KubeConnection::get(std::string path, EventId cause,
                                                      Reader& reader) {
  class Handle final : public Request {
   public:
    Handle(Loop& loop, std::shared_ptr<Link> link, std::shared_ptr<Exchange> exchange)
        : loop_(loop), link_(std::move(link)), exchange_(std::move(exchange)) {}
    ~Handle() override {
      link_->leave(exchange_);
      // Held until nothing more comes of it in this turn.
      loop_.post([link = std::move(link_), exchange = std::move(exchange_)] {});
    }

   private:
    Loop& loop_;
    std::shared_ptr<Link> link_;
    std::shared_ptr<Exchange> exchange_;
  };

  auto exchange = std::make_shared<Exchange>(access_, std::move(path), reader);
  if (link_ == nullptr || !link_->usable()) {
    link_ = std::make_shared<Link>(*this, loop_);
    dial(*link_, cause);
  }
  loop_.post([link = std::weak_ptr(link_), exchange] {
    if (const auto there = link.lock()) there->send(exchange);
  });
  return std::make_unique<Handle>(loop_, link_, std::move(exchange));
}

void KubeConnection::dial(Link& link, EventId cause) {
  const auto pick = [this](const std::vector<Address>& among) {
    return among[failed_dials_ % among.size()];
  };
  if (!host_.addresses.empty()) return link.connect(pick(host_.addresses));
  lookup_.lookup(cause, [link = link.weak_from_this(), pick](const Resolution& answer, EventId) {
    const auto there = link.lock();
    if (there == nullptr) return;
    if (!answer.status.ok()) return there->fail(answer.status.message);
    there->connect(pick(addresses_of(answer.endpoints)));
  });
}

}  // namespace greetlab
