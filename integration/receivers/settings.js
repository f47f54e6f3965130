// Node-RED without an editor: on loopback, with the libraries that the flow checks deliveries by.
module.exports = {
  uiHost: '127.0.0.1',
  uiPort: Number(process.env.PORT),
  httpAdminRoot: false,
  credentialSecret: false,
  functionGlobalContext: { Webhook: require('standardwebhooks').Webhook, HTTP: require('cloudevents').HTTP },
}
