// What is more where `cuello app` serves this page: nothing yet.

async function setUpServed() {}
