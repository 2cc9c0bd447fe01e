// nodemailer as a competent user writes it: a pool of five connections that is never left idle.
// node send.mjs PORT MESSAGE_FILE prints the seconds from the first message to the last.

import { readFileSync } from "node:fs";
import nodemailer from "nodemailer";

const [port, file] = process.argv.slice(2);
const message = JSON.parse(readFileSync(file, "utf8"));
const transport = nodemailer.createTransport({
  host: "127.0.0.1",
  port: Number(port),
  ignoreTLS: true,
  pool: true,
  maxConnections: 5,
  maxMessages: Infinity,
});

function put(text, person) {
  return text.replaceAll("{name}", person.name).replaceAll("{unit}", person.unit).replaceAll("{link}", person.link);
}

const waiting = message.recipients.values();
async function sendOn() {
  for (const person of waiting) {
    await transport.sendMail({
      from: "cooperatie@cultuurconnect.example",
      to: person.email,
      subject: put(message.subject, person),
      text: put(message.text, person),
      html: put(message.html, person),
    });
  }
}

const began = performance.now();
// Twice as many messages as connections are on their way, so that none of them waits for its next one.
await Promise.all(Array.from({ length: 10 }, sendOn));
console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000 }));
transport.close();
