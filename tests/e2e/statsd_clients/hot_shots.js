// hot-shots over unix-dgram or over a stream: node hot_shots.js MODULES uds|stream PATH PREFIX
const [modules, protocol, path, prefix] = process.argv.slice(2);
const StatsD = require(`${modules}/node_modules/hot-shots`);

// As a stream the client takes what the program has connected itself.
const way = protocol === 'stream' ? {stream: require('net').connect(path)} : {path};
const client = new StatsD({protocol, ...way, prefix, datadog: true, includeDatadogTelemetry: true, maxBufferSize: 1000,
  errorHandler: (error) => { console.error(error); process.exitCode = 1; }});
for (let i = 0; i < 100; i++) client.increment('requests', 1, {route: '/a', method: 'GET'});
client.increment('bare', 3, ['blue']);
client.decrement('down');  // a negative counter, which the agent refuses
client.gauge('level', 42.5);
client.gaugeDelta('level', -2);  // on a DogStatsD socket a value, not a change
client.timing('took', 250);
client.histogram('size', 7);
client.distribution('spread', [1, 2, 3]);  // packed with commas, which is no number
client.set('users', 'ann');
client.set('users', 'bob');
client.event('deployed', 'version 2', {alert_type: 'success'});
client.check('db', client.CHECKS.WARNING);
client.close((error) => { if (error) { console.error(error); process.exitCode = 1; } });
