// Two threads in `Loop::run`: what one of them has begun on its way in, and ends without a turn of
// the loop, is not forgotten for the other one, who waits. (Found as a program that did not end:
// its main thread closed the channel while another one left a call.)
#include <atomic>
#include <chrono>
#include <cstdio>
#include <future>
#include <thread>

#include "live/loop.h"

using namespace greetlab;

int main() {
  Loop loop;
  std::promise<void> busy;
  std::promise<void> both_inside;
  Timer timer;
  // The loop's own thread is held up in a timer, the last thing of its turn.
  loop.post([&] {
    timer = loop.at(loop.now(), [&] {
      busy.set_value();
      both_inside.get_future().wait();
    });
  });
  busy.get_future().wait();

  // Whichever comes first is to serve as soon as that thread makes way. The other one waits for it,
  // and is asked now and then whether to go on: by then it has posted what it came for.
  std::atomic_flag told;
  std::atomic<int> finished{0};
  const auto come = [&] {
    const Time give_up = loop.now() + std::chrono::seconds(10);
    bool ran = false;
    finished += loop.run([&] { ran = true; }, [&] { return ran; },
                         [&] {
                           if (!told.test_and_set()) both_inside.set_value();
                           return loop.now() > give_up;
                         });
  };
  std::thread first(come);
  std::thread second(come);
  first.join();
  second.join();
  std::printf("%d broken\n", 2 - finished);
  return finished == 2 ? 0 : 1;
}
