#include "dns/message.h"

#include <ares.h>
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

#include "core/printable.h"

namespace greetlab {
namespace {

constexpr std::size_t kHeader = 12;  // bytes before the question (RFC 1035 4.1.1)
constexpr std::uint16_t kTypeA = 1, kTypeCname = 5, kTypeTxt = 16, kTypeAaaa = 28, kTypeSrv = 33;

/// Walks the bytes once. After the first read past the end everything reads as nothing, so a
/// caller may read a whole structure and ask `ok()` once.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }

  std::span<const std::uint8_t> take(std::size_t count) {
    if (!ok_ || count > bytes_.size() - at_) {
      ok_ = false;
      return {};
    }
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }

  std::uint8_t u8() {
    const auto byte = take(1);
    return ok_ ? byte[0] : std::uint8_t{0};
  }
  std::uint16_t u16() {
    const unsigned high = u8();
    return static_cast<std::uint16_t>(high << 8 | u8());
  }
  std::uint32_t u32() {
    const std::uint32_t high = u16();
    return high << 16 | u16();
  }

  /// A name may point back at any earlier byte of the message (RFC 1035 4.1.4): c-ares knows how,
  /// and where to stop.
  std::string name() {
    // Nearly every record points at the question's name, which has been read.
    if (at_ > kHeader && at_ + 2 <= bytes_.size() && bytes_[at_] == 0xc0 &&
        bytes_[at_ + 1] == kHeader) {
      take(2);
      return question_name_;
    }
    const bool is_question = at_ == kHeader;
    char* text = nullptr;
    long length = 0;
    if (!ok_ || at_ == bytes_.size() ||
        ares_expand_name(bytes_.data() + at_, bytes_.data(), static_cast<int>(bytes_.size()), &text,
                         &length) != ARES_SUCCESS) {
      ok_ = false;
      return {};
    }
    const std::unique_ptr<char, void (*)(void*)> owned(text, ares_free_string);
    take(static_cast<std::size_t>(length));
    if (is_question) question_name_ = text;
    return text;
  }

  std::size_t position() const { return at_; }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
  std::string question_name_;  // once it has been read
};

// inet_ntop prints these with sprintf, which took a sixth of the time of a lookup.
std::string ipv4_text(std::span<const std::uint8_t> data) {
  std::array<char, INET_ADDRSTRLEN> text;
  char* end = text.data();
  for (const std::uint8_t byte : data) {
    if (end != text.data()) *end++ = '.';
    end = std::to_chars(end, text.data() + text.size(), byte).ptr;
  }
  return {text.data(), end};
}

std::string ipv6_text(std::span<const std::uint8_t> data) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(AF_INET6, data.data(), text.data(), text.size());
  return text.data();
}

/// RFC 3597 5: how to write the data of a type that one does not know.
std::string raw_text(std::span<const std::uint8_t> data) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = "\\# " + std::to_string(data.size()) + (data.empty() ? "" : " ");
  for (const std::uint8_t byte : data) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

/// The data of one record, which must fill its `length` exactly.
bool read_data(Reader& reader, std::size_t length, Record& record) {
  const std::size_t end = reader.position() + length;
  switch (record.type) {
    case kTypeA:
    case kTypeAaaa: {
      if (length != (record.type == kTypeA ? 4u : 16u)) return false;
      const auto data = reader.take(length);
      if (reader.ok()) record.text = length == 4 ? ipv4_text(data) : ipv6_text(data);
      break;
    }
    case kTypeCname: record.text = reader.name(); break;
    case kTypeTxt: {  // strings, each behind its length (RFC 1035 3.3.14)
      std::string joined;
      while (reader.ok() && reader.position() < end) {
        const auto part = reader.take(reader.u8());
        joined.append(part.begin(), part.end());
      }
      record.text = utf8(joined);
      break;
    }
    case kTypeSrv: {
      SrvRecord srv{reader.u16(), reader.u16(), reader.u16(), reader.name()};
      record.text = std::to_string(srv.priority) + " " + std::to_string(srv.weight) + " " +
                    std::to_string(srv.port) + " " + srv.target;
      record.srv = std::move(srv);
      break;
    }
    default: record.text = raw_text(reader.take(length));
  }
  return reader.ok() && reader.position() == end;
}

std::optional<Record> read_record(Reader& reader) {
  Record record;
  record.name = reader.name();
  record.type = reader.u16();
  reader.u16();  // the class: always IN, for nothing else was asked
  record.ttl = reader.u32();
  // The top bit means nothing, and makes it 0 (RFC 2181 8).
  if (record.ttl > 0x7fffffffu) record.ttl = 0;
  const std::size_t length = reader.u16();
  if (!reader.ok() || !read_data(reader, length, record)) return std::nullopt;
  return record;
}

}  // namespace

std::optional<DnsMessage> read_message(std::span<const std::uint8_t> bytes, bool cut) {
  constexpr std::size_t kLongestMessage = 65535;  // what TCP's length prefix can say
  if (bytes.size() > kLongestMessage) return std::nullopt;

  Reader reader(bytes);
  DnsMessage message;
  message.id = reader.u16();
  const std::uint16_t flags = reader.u16();
  message.is_reply = (flags & 0x8000) != 0;
  message.authoritative = (flags & 0x0400) != 0;
  message.truncated = (flags & 0x0200) != 0;
  message.rcode = flags & 0x000f;
  const std::uint16_t questions = reader.u16();
  const std::uint16_t answers = reader.u16();
  reader.u32();  // how many authority and additional records follow

  message.question_name = reader.name();
  message.question_type = reader.u16();
  reader.u16();  // the class
  if (!reader.ok() || questions != 1) return std::nullopt;

  constexpr std::size_t kShortestRecord = 11;  // no more of them than there are bytes for
  message.answers.reserve(std::min<std::size_t>(answers, bytes.size() / kShortestRecord));
  for (int i = 0; i < answers; ++i) {
    std::optional<Record> record = read_record(reader);
    if (!record) {
      message.truncated |= cut;
      if (message.truncated) break;
      return std::nullopt;
    }
    message.answers.push_back(*std::move(record));
  }
  return message;
}

std::vector<const Record*> follow_cnames(const std::vector<Record>& records, std::string_view name,
                                         std::uint16_t type) {
  std::vector<const Record*> found;
  found.reserve(records.size());
  // Each step uses up a CNAME, so a chain longer than the reply is a circle.
  for (std::size_t step = 0; step <= records.size(); ++step) {
    const Record* alias = nullptr;
    for (const Record& record : records) {
      if (!same_name(record.name, name)) continue;
      if (record.type == type) found.push_back(&record);
      if (record.type == kTypeCname) alias = &record;
    }
    if (!found.empty() || !alias) break;
    name = alias->text;
  }
  return found;
}

}  // namespace greetlab
