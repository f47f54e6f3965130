// A model server of other hands: it answers as the file named by its argument says, and ends with its standard input.
import { LLMock } from "@copilotkit/aimock";

const mock = new LLMock({ port: 0 });
mock.loadFixtureFile(process.argv[2]);
await mock.start();
console.log(mock.url);
process.stdin.resume();
process.stdin.on("close", () => mock.stop().then(() => process.exit(0)));
