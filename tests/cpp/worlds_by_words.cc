// The page's engine, compiled for this machine: a world by words, its link, and that misuse is an
// answer.
//
// Ends with 0 if all of it holds.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "wasm/engine.h"
#include "wasm/policy_words.h"
#include "wasm/script.h"

namespace {

int broken = 0;

void expect(bool holds, const std::string& what) {
  if (holds) return;
  ++broken;
  std::printf("broken: %s\n", what.c_str());
}

std::string said() {
  return static_cast<const char*>(gl_output());
}

std::uint32_t put(std::string_view text) {
  std::memcpy(gl_input(static_cast<std::uint32_t>(text.size())), text.data(), text.size());
  return static_cast<std::uint32_t>(text.size());
}

std::uint32_t open(std::string_view script) {
  const double world = gl_open(put(script));
  expect(world > 0, std::string(script) + ": " + (world < 0 ? said() : ""));
  return static_cast<std::uint32_t>(world);
}

std::string digest(std::uint32_t world) {
  expect(gl_digest(world) == 16, "a digest has 16 digits");
  return said();
}

std::string script(std::uint32_t world) {
  expect(gl_script(world) > 0, "a world has a script");
  return said();
}

constexpr double kSecond = 1e9;
constexpr std::string_view kKilled =
    "v1+pods=3+seed=7+endpoint_lag=2s;open+greetserver-headless+policy=round_robin;"
    "load+client-1+calls=300+interval=exponential%2010ms;@1s+kill+pod-2;kill+pod-1;@5s";

void a_script_is_read_and_written() {
  const greetlab::Script read = greetlab::read_script(kKilled);
  expect(greetlab::to_text(read) == kKilled, "written: " + greetlab::to_text(read));
  expect(read == greetlab::read_script("file:///page.html#" + std::string(kKilled)), "in a URL");
  expect(!read.commands[2].at_once && read.commands[3].at_once, "at once, or in its time");
  const greetlab::Statement odd{"open", {"a+b;c=d#%\n\xc3\xa4"}, {{"policy.x", "=@"}}};
  expect(greetlab::read_statement(greetlab::to_text(odd)) == odd, "whatever is in a word");
}

void the_same_world_from_its_link() {
  const std::uint32_t first = open(kKilled);
  expect(gl_run(first, 5 * kSecond, 3) == 0, "there is more to do");
  while (gl_run(first, 5 * kSecond, 100) == 0) {
  }
  const std::uint32_t second = open("v1+pods=3+seed=7+endpoint_lag=2s");
  for (const std::string_view command : {"open+greetserver-headless+policy=round_robin",
                                         "load+client-1+calls=300+interval=exponential%2010ms"}) {
    expect(gl_follow(second, put(command)) == 0, std::string(command));
  }
  gl_run(second, kSecond, 1'000'000);
  for (const std::string_view command : {"kill+pod-2", "kill+pod-1"}) {
    expect(gl_follow(second, put(command)) == 0, std::string(command));
  }
  gl_run(second, 5 * kSecond, 1'000'000);
  expect(digest(first) == digest(second), "the same events");
  expect(script(first) == kKilled, "its link: " + script(first));
  expect(script(second) == kKilled, "the link of one that was led by hand: " + script(second));
  const std::uint32_t other = open("v1+pods=3+seed=8;open+greetserver;load+client-1+calls=9;@5s");
  gl_run(other, 5 * kSecond, 1'000'000);
  expect(digest(first) != digest(other), "others are others");
  expect(gl_sentence(first, 0) > 0 && said() == "pod-1 started", "the first event: " + said());
  for (const std::uint32_t world : {first, second, other}) expect(gl_close(world) == 0, "closed");
}

void a_policy_in_words() {
  const auto same = [](const std::vector<std::pair<std::string, std::string>>& words) {
    const auto written = greetlab::words_of(greetlab::policy_from(words));
    expect(written == words, words[0].second + " and its fields");
  };
  same({{"policy", "pick_first"}, {"policy.shuffleAddressList", "true"}});
  same({{"policy", "random_subsetting"},
        {"policy.subsetSize", "2"},
        {"policy.childPolicy", "least_request"},
        {"policy.childPolicy.choiceCount", "5"}});
}

void misuse_is_an_answer() {
  const auto refused = [](double answer, std::string_view why) {
    expect(answer == -1, "refused: " + std::string(why));
    expect(said().find(why) != std::string::npos, std::string(why) + ", not: " + said());
  };
  for (const auto& [link, why] : std::vector<std::pair<std::string, std::string_view>>{
           {"", "begins with v1"},
           {"hello", "begins with v1"},
           {"v2+pods=3", "of version v2"},
           {"v1+pods", "has no value"},
           {"v1+pods=-1", "a whole number"},
           {"v1+pods=20000", "at most 10000"},
           {"v1+ip=v5", "'v4', 'v6' or 'dual'"},
           {"v1+capacity=0", "1 at least"},
           {"v1+puds=3", "no option 'puds': there is pods, "},
           {"v1+latency=5", "a number and a unit"},
           {"v1;@5+kill+pod-1", "time '5'"},
           {"v1;@5s+kill+pod-1;@4s", "backwards"},
           {"v1;", "begins with a verb"},
           {"v1;jump", "no command 'jump': there is scale, "},
           {"v1;kill", "it is: kill pod"},
           {"v1;kill+pod-4", "no pod 'pod-4'"},
           {"v1;kill+pod-1+x=y", "no option 'x'"},
           {"v1;kill+%zz", "two digits"},
           {"v1;open+greetserver+policy=fair", "policy 'fair': there is"},
           {"v1;open+greetserver+policy=round_robin+policy.x=1", "no field 'x'"},
           {"v1;open+greetserver+frames=true", "no option 'frames'"},
           {"v1;load+client-1", "no client 'client-1'"},
           {"v1;open+greetserver;load+client-1+calls=2000000", "at most 1000000"},
           {"v1;open+greetserver;close+client-1;load+client-1", "client-1 is closed"},
           {"v1;rollout+max_surge=0", "no pod could ever be replaced"},
           {"v1;cancel+load-1", "no load"},
           {"v1;fail+pod-1+nan", "0 to 1"}}) {
    refused(gl_open(put(link)), why);
  }
  const std::uint32_t world = open("v1;@1s+kill+pod-9");
  refused(gl_run(world, 2 * kSecond, 100), "at 1s, kill+pod-9: no pod 'pod-9'");
  refused(gl_run(world, std::nan(""), 100), "some nanosecond");
  refused(gl_run(world, -1, 100), "some nanosecond");
  refused(gl_run(world, 1, 100), "backwards");
  refused(gl_table(world, 99), "no table 99");
  refused(gl_word(world, 4'000'000'000), "no symbol");
  refused(gl_sentence(world, 4'000'000'000), "no event");
  refused(gl_follow(world, 4'000'000'000), "shorter");
  refused(gl_follow(world + 1, 0), "no world");
  expect(gl_input(0xffffffff) == nullptr, "no input of 4 GiB");
  gl_close(world);
  refused(gl_close(world), "no world");
}

}  // namespace

int main() {
  a_script_is_read_and_written();
  the_same_world_from_its_link();
  a_policy_in_words();
  misuse_is_an_answer();
  return broken;
}
