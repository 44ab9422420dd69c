// For node --require: whatever listens on a port listens on 127.0.0.1 alone.
"use strict";

const net = require("node:net");

const listen = net.Server.prototype.listen;
const HOST = "127.0.0.1";

net.Server.prototype.listen = function (first, ...rest) {
  if (typeof first === "object" && first !== null && "port" in first) {
    return listen.call(this, { ...first, host: HOST }, ...rest);
  }
  if (typeof first === "number") {
    const callbacks = rest.filter((each) => typeof each === "function");
    return listen.call(this, { port: first, host: HOST }, ...callbacks);
  }
  return listen.call(this, first, ...rest);
};
