"""What a citizen's message is about: the kind of case and the department, each with a confidence.

    CaseModel.shipped()                     the model that comes with the project (data/model.npz, made by `train`)
    model.predict(text, vector=None)        {"kind": Guess, "department": Guess}
    fit(rows, vectors, ...)                 a model of a city's own labelled cases (module `fitting`)

Character n-grams and, where there is one, the sentence embedding. Pure: no database, no network, no clock.
"""

from services.cases.classifier.model import CaseModel, Guess

__all__ = ["CaseModel", "Guess"]
