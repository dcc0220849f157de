#include "kube/slice_watch.h"

#include <cctype>
#include <utility>

namespace greetlab {
namespace {

constexpr int kOk = 200;
constexpr int kGone = 410;

// A watch that ends sooner, and has said nothing, was of no use (client-go: VeryShortWatchError).
constexpr Duration kShort = std::chrono::seconds(1);

/// RFC 3986 2.1: a resourceVersion is opaque.
std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) {
      encoded += c;
    } else {
      encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return encoded;
}

std::string mebibytes(std::size_t bytes) {
  return std::to_string(bytes / 1024 / 1024) + " MiB";
}

}  // namespace

SliceWatch::SliceWatch(Ports ports, KubeService service)
    : ports_(ports),
      service_(std::move(service)),
      path_("/apis/discovery.k8s.io/v1/namespaces/" + service_.name_space +
            "/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D" + service_.name) {}

void SliceWatch::start(Watcher& watcher, EventId cause) {
  watcher_ = &watcher;
  ask(cause);
}

std::string SliceWatch::doubt() const {
  std::string text = " in the namespace '" + service_.name_space + "'";
  if (other_ports_.empty()) return text + " of " + ports_.api.name();
  const std::string& wanted = service_.port.text;
  return text + (wanted.empty() ? ", and which port is meant" : " with a port " + wanted) +
         " (of its pods; there is: " + other_ports_ + ")";
}

// --- Asking --------------------------------------------------------------------------------------

void SliceWatch::ask(EventId cause) {
  request_ = nullptr;
  cause_ = cause;
  over_ = has_news_ = false;
  code_ = 0;
  body_.clear();
  watches_ = !version_.empty();
  std::string path = path_;
  if (watches_) {
    // So that clients which began together do not come back together (reflector.go: 5 to 10 min).
    const std::string timeout = std::to_string(300 + ports_.rng.below(300));
    path += "&watch=true&allowWatchBookmarks=true&timeoutSeconds=" + timeout +
            "&resourceVersion=" + percent_encoded(version_);
  }
  request_ = ports_.api.get(std::move(path), cause, *this);
  patience_ = ports_.clock.at(ports_.clock.now() + kPatience,
                              [this] { give_up("no answer in 30 s, from " + ports_.api.name()); });
}

void SliceWatch::ask_at(Time when, EventId cause) {
  over_ = true;
  patience_.cancel();
  body_ = {};
  // Not now: we may be within what the request tells.
  next_ = ports_.clock.at(ports_.clock.now(), [this, when, cause] {
    request_ = nullptr;
    next_ = ports_.clock.at(when, [this, cause] { ask(cause); });
  });
}

void SliceWatch::give_up(const std::string& why, bool at_once) {
  if (lasted()) backoff_.reset();
  const Duration wait = at_once ? Duration{} : backoff_.next(ports_.rng);
  const Time until = ports_.clock.now() + wait;
  const EventId ended = ports_.trace.emit(ports_.who, cause_, [&] {
    return EndpointWatchEnded{ports_.trace.symbol(service_.name + "." + service_.name_space),
                              ports_.trace.symbol(why), until};
  });
  ask_at(until, ended);
  if (listed_) return;
  watcher_->on_error({Code::unavailable, "the endpoints of " + service_.name + "." +
                                             service_.name_space + " are not known: " + why},
                     ended);
}

// --- What comes of it ----------------------------------------------------------------------------

void SliceWatch::on_answer(int code) {
  if (over_) return;
  code_ = code;
  answered_at_ = ports_.clock.now();
  if (watches_ && code == kOk) patience_.cancel();
}

void SliceWatch::on_body(std::string_view bytes) {
  if (over_) return;
  if (!watches_ || code_ != kOk) {
    if (body_.size() + bytes.size() <= kLongestList) {
      body_ += bytes;
      return;
    }
    return give_up("a list of more than " + mebibytes(kLongestList) + ", from " +
                   ports_.api.name());
  }
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (body_.size() + piece.size() > kLongestLine) {
      return give_up("a line of more than " + mebibytes(kLongestLine) + ", from " +
                     ports_.api.name());
    }
    if (end == std::string_view::npos) {
      body_ += piece;
      return;
    }
    bool goes_on = true;
    if (body_.empty()) {
      goes_on = on_line(piece);
    } else {
      body_ += piece;
      const std::string line = std::exchange(body_, {});
      goes_on = on_line(line);
    }
    if (!goes_on) return;
    bytes.remove_prefix(end + 1);
  }
}

void SliceWatch::on_end(const Status& how) {
  if (over_) return;
  if (!how.ok()) return give_up(how.message);
  if (code_ == kOk) return watches_ ? on_watch_end() : on_list();
  const std::string said =
      ports_.api.name() + " says " + std::to_string(code_) + ": " + status_message(body_);
  if (code_ == kGone && !version_.empty()) {
    version_.clear();
    return give_up(said, !std::exchange(expired_, true));
  }
  give_up(said);
}

void SliceWatch::on_list() {
  std::string why;
  std::optional<SliceList> list = read_slice_list(body_, service_.port, why);
  if (!list) return give_up(why + ", from " + ports_.api.name());
  version_ = std::move(list->version);
  listed_ = true;
  passed_on_.clear();
  other_ports_.clear();
  std::vector<EndpointSlice> slices;
  for (SliceAtPort& one : list->slices) {
    if (!one.has_port) {
      other_ports_ = one.ports;
      continue;
    }
    passed_on_.insert(one.slice.name);
    slices.push_back(std::move(one.slice));
  }
  ask_at(ports_.clock.now(), cause_);
  watcher_->on_list(std::move(slices), cause_);
}

bool SliceWatch::on_line(std::string_view line) {
  if (line.empty()) return true;
  std::string why;
  std::optional<SliceNews> news = read_slice_news(line, service_.port, why);
  if (!news) {
    // What it was is not known, so what there is is asked for.
    version_.clear();
    give_up(why + ", from " + ports_.api.name());
    return false;
  }
  if (news->kind == SliceNews::Kind::error) {
    const std::string said =
        ports_.api.name() + " says " + std::to_string(news->code) + ": " + news->message;
    // 410, as its status would be (api-concepts, "410 Gone responses").
    version_.clear();
    give_up(said, news->code == kGone && !std::exchange(expired_, true));
    return false;
  }
  version_ = news->version;
  if (!std::exchange(has_news_, true)) backoff_.reset();
  expired_ = false;
  if (news->kind == SliceNews::Kind::bookmark) return true;
  SliceAtPort& one = news->slice;
  if (news->kind == SliceNews::Kind::changed && one.has_port) {
    passed_on_.insert(one.slice.name);
    watcher_->on_slice(std::move(one.slice), cause_);
    return true;
  }
  if (news->kind == SliceNews::Kind::changed) other_ports_ = one.ports;
  if (passed_on_.erase(one.slice.name) > 0) watcher_->on_slice_deleted(one.slice.name, cause_);
  return true;
}

bool SliceWatch::lasted() const {
  return watches_ && code_ == kOk && ports_.clock.now() - answered_at_ >= kShort;
}

void SliceWatch::on_watch_end() {
  if (!body_.empty()) return give_up(ports_.api.name() + " ends in the middle of a line");
  if (!has_news_ && !lasted()) {
    return give_up(ports_.api.name() + " ends its watch at once, without news");
  }
  ask_at(ports_.clock.now(), cause_);
}

}  // namespace greetlab
