// Listens to a stream of server-sent events with the npm package eventsource and prints what comes, one JSON document a line.
import { EventSource } from 'eventsource'

const say = (x) => process.stdout.write(JSON.stringify(x) + '\n')
const source = new EventSource(process.env.STREAM, {
  fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, authorization: 'Bearer ' + process.env.TOKEN } }),
})
source.onopen = () => say({ state: 'open' })
source.onerror = (e) => say({ state: 'error', status: e.code ?? 0 })
for (const kind of ['opened', 'updated', 'acknowledged', 'closed', 'reopened']) {
  source.addEventListener('incident.' + kind, (e) => say({ id: e.lastEventId, type: e.type, data: JSON.parse(e.data) }))
}
