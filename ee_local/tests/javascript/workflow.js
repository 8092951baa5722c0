// The study's workflow in the JavaScript client: sample, train three classifiers, assess, map.
// node workflow.js ADDRESS POINTS.json COLLECTION; prints one JSON object.
'use strict';

const fs = require('fs');
const ee = require('@google/earthengine');

const [address, file, collection] = process.argv.slice(2);
const {points, bands, order, bounds, crs} = JSON.parse(fs.readFileSync(file, 'utf8'));

const classifiers = {
  cart: () => ee.Classifier.smileCart(),
  forest: () => ee.Classifier.smileRandomForest(10),
  svm: () => ee.Classifier.libsvm({kernelType: 'LINEAR', cost: 0.001}),
};

function evaluate(object) {
  return new Promise((resolve, reject) => {
    object.evaluate((value, error) => error ? reject(new Error(error)) : resolve(value));
  });
}

function callback(start) {
  return new Promise((resolve, reject) => {
    start((value, error) => error ? reject(new Error(error)) : resolve(value));
  });
}

function split(image) {
  const features = points.map(
      (p) => ee.Feature(ee.Geometry.Point([p.lon, p.lat]), {class: p.class}));
  const sampled = image.sampleRegions(
      {collection: ee.FeatureCollection(features), properties: ['class'], scale: 10});
  const drawn = sampled.randomColumn('random', 1);
  return [drawn.filter('random < 0.7'), drawn.filter('random >= 0.7')];
}

async function run() {
  const region = ee.Geometry.Rectangle(bounds, crs, false);
  const image = ee.ImageCollection(collection)
      .filterDate('2023-07-01', '2023-08-01').filterBounds(region).first().select(bands);
  const [training, test] = split(image);
  const results = {
    sizes: await evaluate(ee.List([training.size(), test.size()])),
    rows: await evaluate(ee.FeatureCollection(training.merge(test)).select(
        bands.concat(['class', 'random']), null, false)),
    matrices: {}, importance: {}, histograms: {},
  };
  for (const [name, make] of Object.entries(classifiers)) {
    const trained = make().train(training, 'class', bands);
    const matrix = test.classify(trained).errorMatrix('class', 'classification', order);
    results.matrices[name] = await evaluate(
        ee.Dictionary({counts: matrix.array(), accuracy: matrix.accuracy()}));
    if (name !== 'svm') {
      results.importance[name] = await evaluate(trained.explain().get('importance'));
    }
    const map = image.classify(trained).toByte();
    results.histograms[name] = await evaluate(
        map.reduceRegion({reducer: ee.Reducer.frequencyHistogram(), geometry: region, scale: 10}));
    results.map = await callback((done) => map.getMapId({min: 0, max: 10}, done));
    results.download = await callback(
        (done) => map.getDownloadURL({region, scale: 10, crs, format: 'GEO_TIFF'}, done));
  }
  try {
    await evaluate(image.select('B99'));
  } catch (error) {
    results.error = error.message;
  }
  return results;
}

const failed = (error) => {
  console.error(error && error.stack || error);
  process.exit(1);
};

ee.initialize(address, address, () => run().then(
    (found) => console.log(JSON.stringify(found)), failed), failed, null, 'offline');
