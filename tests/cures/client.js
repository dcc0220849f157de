// Makes calls over a channel that the cure's lines made, and says who answered.
const grpc = require("@grpc/grpc-js");

const bytes = { serialize: (value) => value, deserialize: (value) => value };
const YourClient = grpc.makeGenericClientConstructor({
  greet: {
    path: "/greet.GreetService/Greet",
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes.serialize,
    responseDeserialize: bytes.deserialize,
  },
});

// CURE

const call = () =>
  new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + 10_000, (error) => {
      if (error) return reject(error);
      client.greet(Buffer.alloc(0), (error, reply) => (error ? reject(error) : resolve(reply)));
    });
  });

(async () => {
  for (let i = 0; i < 60; i++) {
    console.log(/name\((.*?)\)/.exec((await call()).toString())[1]);
    await new Promise((go) => setTimeout(go, 5)); // shared once all its connections are up
  }
  client.close();
})().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
