#include "live/transport.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace greetlab {
namespace {

std::string words(int error) {
  return std::generic_category().message(error);
}

}  // namespace

void Transport::connect(const Address& address, const SocketOptions& options) {
  auto [fd, error] = begin_to_connect(address, options);
  if (error == 0) error = loop_.poller().watch(fd.get(), EPOLLOUT, *this);
  if (error == 0) {
    fd_ = std::move(fd);
    return;
  }
  refused_ = loop_.at(loop_.now(), [this, error = error] { lose("connect: " + words(error)); });
}

void Transport::on_ready(std::uint32_t events) {
  const auto self = shared_from_this();
  if (!connected_) return on_connected();
  if (events & ~std::uint32_t{EPOLLOUT}) read();  // EPOLLERR and EPOLLHUP, too, are read
  if (fd_ && events & EPOLLOUT && blocked_) {
    blocked_ = false;
    loop_.poller().change(fd_.get(), EPOLLIN, *this);
    touch();
  }
}

void Transport::on_connected() {
  if (const int error = connect_error(fd_)) return lose("connect: " + words(error));
  connected_ = true;
  connected_at_ = loop_.now();
  local_address_ = local_address(fd_);
  loop_.poller().change(fd_.get(), EPOLLIN, *this);
  touch();  // our preface, or our hello
}

void Transport::read() {
  std::array<char, 64 * 1024> buffer;
  const ssize_t size = recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (size > 0) return take({buffer.data(), static_cast<std::size_t>(size)});
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  const std::string why = size == 0 ? "the server has hung up" : words(errno);
  if (tls_) tls_->hung_up(why);
  lose(why);
}

void Transport::take(std::string_view bytes) {
  std::string opened;
  bool sealed_well = true;
  if (tls_) {
    const bool was_unsecured = unsecured();
    sealed_well = tls_->receive(bytes, opened);
    bytes = opened;
    if (was_unsecured && !unsecured()) {
      owner_.on_secured(tls_->agreement(), loop_.now() - connected_at_);
    }
    if (closed_) return;
  }
  const bool well = session_.receive(bytes);
  if (closed_) return;
  owner_.on_read();
  touch();  // acknowledgements, windows, and why it ends if it has to
  if (!well) return lose(session_.failure());
  if (!sealed_well) lose(tls_->failure());
}

void Transport::on_settings() {
  if (!closed_) owner_.on_ready();
}

void Transport::on_go_away(std::int32_t last_stream, std::uint32_t error, std::string_view debug) {
  if (!closed_) owner_.on_go_away(last_stream, error, debug);
}

void Transport::on_frame(const Http2Frame& frame) {
  if (!closed_) owner_.on_frame(frame);
}

void Transport::on_pong() {
  if (!closed_) owner_.on_pong();
}

void Transport::touch() {
  if (std::exchange(touched_, true)) return;
  loop_.at_turn_end(shared_from_this());
}

void Transport::on_turn_end() {
  touched_ = false;
  if (connected_ && !blocked_ && !broken_ && fd_) write();
  if (closed_) hang_up();
}

void Transport::write() {
  // What the server does not take is not added to: nghttp2 then ends a flood of what asks for
  // answers.
  if (written_ == output_.size()) {
    output_.clear();
    written_ = 0;
    if (!produce() && !closed_) return lose(session_.failure());
  }
  while (written_ < output_.size()) {
    const ssize_t size =
        send(fd_.get(), output_.data() + written_, output_.size() - written_, MSG_NOSIGNAL);
    if (size >= 0) {
      written_ += static_cast<std::size_t>(size);
    } else if (errno == EAGAIN) {
      blocked_ = true;
      return loop_.poller().change(fd_.get(), EPOLLIN | EPOLLOUT, *this);
    } else if (errno != EINTR) {
      broken_ = true;  // to read tells why, after what the server has still said
      return;
    }
  }
}

// Adds to the output what there is to be said.
bool Transport::produce() {
  if (!tls_) return session_.take_output(output_);
  plain_.clear();
  const bool well = unsecured() || session_.take_output(plain_);
  tls_->take_output(plain_, output_);
  return well;
}

// How much of what the session has said has not left. A record of TLS is read whole or not at all,
// but which of them are whole is not known here: where anything has left, all may have.
std::size_t Transport::unwritten() const {
  if (!tls_) return output_.size() - written_;
  return written_ == 0 ? plain_.size() : 0;
}

void Transport::lose(const std::string& why) {
  if (closed_) return;
  // Its last words, a GOAWAY or an alert that says why: as much of them as goes.
  const bool last_words = !session_.failure().empty() || !tls_failure().empty();
  if (connected_ && !blocked_ && !broken_ && last_words) {
    produce();
    const ssize_t size =
        send(fd_.get(), output_.data() + written_, output_.size() - written_, MSG_NOSIGNAL);
    if (size > 0) written_ += static_cast<std::size_t>(size);
  }
  const auto self = shared_from_this();
  hang_up();
  owner_.on_gone(why);
  session_.close(unwritten(), why);
}

void Transport::close() {
  closed_ = true;
  refused_.cancel();
  if (connected_) return touch();  // what has been said is sent before
  hang_up();
}

void Transport::hang_up() {
  if (!fd_) return;
  loop_.poller().forget(fd_.get(), *this);
  fd_ = Descriptor();
}

}  // namespace greetlab
