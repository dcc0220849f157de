// dns_server: answers every question for an A record with the same three addresses, from one thread
// and in batches, so that what is measured is who asks.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <string>
#include <thread>

namespace greetlab::bench {
namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kMost = 512;  // bytes of a message over UDP (RFC 1035 4.2.1)
constexpr std::size_t kHeader = 12;
constexpr std::size_t kTypeAndClass = 4;

using Message = std::array<std::uint8_t, kMost>;

// One answer: the name is that of the question (a pointer to it), A, IN, a TTL of 5 s, 4 bytes.
constexpr std::array<std::uint8_t, 12> kAnswer{0xc0, kHeader, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4};

// Makes the question in `message` its own reply.
// @return how long that is; 0 for what is no question.
std::size_t reply(Message& message, std::size_t length) {
  std::size_t end = kHeader;
  while (end < length && message[end] != 0) end += message[end] + std::size_t{1};
  end += 1 + kTypeAndClass;
  if (end > length) return 0;
  const bool is_a = message[end - 4] == 0 && message[end - 3] == 1;
  message[2] = 0x84 | (message[2] & 0x01);  // a reply, authoritative; RD as it came
  message[3] = 0;
  std::memset(&message[4], 0, 8);
  message[5] = 1;  // the question
  if (!is_a) return end;
  message[7] = 3;  // the answers
  for (std::uint8_t pod = 2; pod <= 4; ++pod) {
    std::memcpy(&message[end], kAnswer.data(), kAnswer.size());
    end += kAnswer.size();
    const std::array<std::uint8_t, 4> ip{127, 1, 0, pod};
    std::memcpy(&message[end], ip.data(), ip.size());
    end += ip.size();
  }
  return end;
}

[[noreturn]] void serve(int fd) {
  std::array<Message, kBatch> messages;
  std::array<sockaddr_in, kBatch> peers;
  std::array<iovec, kBatch> parts;
  std::array<mmsghdr, kBatch> batch{};
  for (;;) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      parts[i] = {messages[i].data(), kMost / 2};  // the answers have to fit behind it
      batch[i].msg_hdr = {&peers[i], sizeof peers[i], &parts[i], 1, nullptr, 0, 0};
    }
    const int count = recvmmsg(fd, batch.data(), kBatch, MSG_WAITFORONE, nullptr);
    for (int i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      parts[at].iov_len = reply(messages[at], batch[at].msg_len);
    }
    if (count > 0) sendmmsg(fd, batch.data(), static_cast<unsigned>(count), 0);
  }
}

int run(const std::string& ip) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t length = sizeof address;
  if (inet_pton(AF_INET, ip.c_str(), &address.sin_addr) != 1 ||
      bind(fd, reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    std::cerr << "dns_server: could not listen on a free port of " << ip << std::endl;
    return 1;
  }
  std::thread([fd] { serve(fd); }).detach();
  std::cout << "serving on " << ip << ":" << ntohs(address.sin_port) << std::endl;
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return 0;
}

}  // namespace
}  // namespace greetlab::bench

int main(int argc, char** argv) {
  std::string ip = "127.0.0.1";
  CLI::App app("A DNS server with one answer, on a free port.");
  app.add_option("--ip", ip, "the address to listen on")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::_Exit(greetlab::bench::run(ip));
}
