import assert from "node:assert/strict";
import { test } from "node:test";

import { Layout, Way } from "../../bindings/greetlab/views/widget/js/layout.js";
import { Model } from "../../bindings/greetlab/views/widget/js/model.js";
import { ONE_CALL, VIA_PROXY, VIRTUAL, address, packed } from "./packed.mjs";

const WIDTHS = [360, 500, 700, 900, 1400];
const PROXY = { events: VIA_PROXY, virtual: [VIRTUAL] };

function laid(width, { events = ONE_CALL, height = 0, ...options } = {}) {
  const layout = new Layout(new Model(packed(events, options)), width);
  layout.settle(Math.max(layout.needs, height));
  return layout;
}

// Where a ClusterIP, as it is, covers some of both sides if there is a grid of pods behind it.
const tight = (width) => width < 404 || (width >= 640 && width < 722);

const apart = (a, b) =>
  a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;

function boxes({ dns, clients, pods, proxy }) {
  const all = [dns, ...clients.map((entry) => entry.box), ...pods.map((entry) => entry.box)];
  return proxy ? [...all, proxy] : all;
}

test("nothing covers anything, and all of it is inside", () => {
  for (const width of WIDTHS) {
    for (const pods of [1, 3, 12, 13, 70]) {
      for (const options of [{}, PROXY]) {
        if (tight(width) && pods > 12 && options === PROXY) continue;
        const layout = laid(width, { pods, ...options });
        const all = boxes(layout);
        assert.equal(all.length, 2 + pods + (options === PROXY ? 1 : 0));
        all.forEach((one, i) => {
          const where = `${JSON.stringify(one)}: ${width} wide, ${pods} pods`;
          assert.ok(one.w > 0 && one.h > 0, where);
          assert.ok(one.x >= 0 && one.x + one.w <= width, where);
          assert.ok(one.y >= 0 && one.y + one.h <= layout.height, where);
          for (const other of all.slice(i + 1)) assert.ok(apart(one, other), where);
        });
      }
    }
  }
});

test("more than twelve pods are a grid", () => {
  assert.equal(laid(900, { pods: 12 }).grid, false);
  assert.equal(laid(900, { pods: 13 }).grid, true);
});

test("more than four clients are shown as one", () => {
  const clients = (count) => laid(900, {
    events: Array.from({ length: count }, (_, i) =>
      [i, `client-${i + 1}`, "CallStarted", { call: 1 }]),
  }).clients.map((entry) => entry.client?.name ?? null);
  assert.deepEqual(clients(4), ["client-1", "client-2", "client-3", "client-4"]);
  assert.deepEqual(clients(5), [null]);
});

test("a taller picture has what is to the left in its middle", () => {
  const layout = laid(900, { height: 600 });
  const [{ box, rows }] = layout.clients;
  assert.ok(Math.abs(layout.dns.y - (600 - box.y - box.h)) < 1e-9);
  for (const y of rows.values()) assert.ok(y > box.y && y < box.y + box.h);
});

test("a client's addresses are in the order of their pods", () => {
  const created = (subchannel, of) =>
    [4, "client-1", "SubchannelCreated", { subchannel, address: of }];
  const layout = laid(900, {
    pods: 11, events: [...ONE_CALL, created(2, address(10)), created(3, address(2))],
  });
  const [{ addresses, rows }] = layout.clients;
  assert.deepEqual(addresses, [address(1), address(2), address(10)]);
  const lines = addresses.map((one) => rows.get(one));
  assert.deepEqual(lines, lines.toSorted((a, b) => a - b));
});

test("a connection goes from its client's line to its pod", () => {
  for (const width of WIDTHS) {
    const layout = laid(width);
    const [connection] = layout.model.connections;
    const way = layout.path(connection);
    const [{ box, rows }] = layout.clients;
    const pod = layout.podAt.get(connection.pod);
    assert.deepEqual(way.at(0), [box.x + box.w, rows.get(address(1))]);
    assert.deepEqual(way.at(1), [pod.x, pod.y + pod.h / 2]);
    assert.equal(layout.path(connection), way);
  }
});

test("through a ClusterIP it goes through the proxy, on to the pod that was chosen", () => {
  for (const width of WIDTHS) {
    const layout = laid(width, PROXY);
    const { proxy } = layout;
    const [connection] = layout.model.connections;
    const way = layout.path(connection);
    const pod = layout.podAt.get(layout.model.pods[1]);
    assert.deepEqual(way.at(1), [pod.x, pod.y + pod.h / 2]);
    assert.ok(way.proxyAt > 0 && way.proxyAt < 1);
    const [x, y] = way.at(way.proxyAt);
    assert.ok(Math.abs(x - proxy.x) < 1e-6);
    assert.ok(y > proxy.y && y < proxy.y + proxy.h);
  }
});

test("places on a way are shares of its length", () => {
  const way = new Way([[0, 0], [10, 0], [10, 30]]);
  assert.equal(way.length, 40);
  const places = [-1, 0, 0.125, 0.25, 0.5, 1, 2].map((share) => way.at(share));
  assert.deepEqual(places, [[0, 0], [0, 0], [5, 0], [10, 0], [10, 10], [10, 30], [10, 30]]);
});

test("a part of a way is drawn with the corners that it has", () => {
  const drawn = [];
  const pen = {
    beginPath: () => drawn.push("begin"),
    moveTo: (x, y) => drawn.push([x, y]),
    lineTo: (x, y) => drawn.push([x, y]),
  };
  new Way([[0, 0], [10, 0], [10, 30]]).trace(pen, 0.125, 0.5);
  assert.deepEqual(drawn, ["begin", [5, 0], [10, 0], [10, 10]]);
});

test("how many calls were on their way at once", () => {
  const picked = (call) => [4, "client-1", "Picked", { call, subchannel: 1, connection: 7 }];
  const ended = (call) => [5, "client-1", "CallEnded", { call, pod: "pod-1", code: "OK" }];
  assert.equal(laid(900).busiest, 1);
  const events = [picked(2), picked(3), ended(2), picked(4), picked(5), ended(4)];
  assert.equal(laid(900, { events: [...ONE_CALL, ...events] }).busiest, 3);
});
