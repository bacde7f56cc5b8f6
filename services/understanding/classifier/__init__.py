"""One classifier: character n-grams and, where there is one, the sentence embedding.

    model.Classifier      predict, save, load; the standard library and NumPy
    fitting.fit           learn from labelled texts; needs scikit-learn, which answering does not

Danger (`danger.judge`), what a case is about (services/cases/subjects.py) and the dialogue's intents (bot/components)
differ in the terms they count and in how they learn (`fitting.Recipe`), in nothing else.
"""
